"""The overlay's format: one sparse file that holds what a server has written over its image. docs/disks.md tells it.

A header page; a bitmap with a bit for each granule of 4 KiB; the data, each granule at its own place. A granule whose
bit is set lies here, the others in the base, and what is beyond the base's end is zeros. Bits only ever go from 0 to 1:
what was discarded is a hole with its bit set. The base's path is not in the file: it comes from whoever opens it.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from dataclasses import dataclass

MAGIC = b"NLOVRLAY"
VERSION = 1
HEADER_SIZE = 4096
GRANULE_BITS = 12
GRANULE = 1 << GRANULE_BITS
SECTOR = 512
#: The data begin at a multiple of it, so that large blocks of the guest lie on large blocks of the host.
DATA_ALIGNMENT = 1 << 16
#: As much as ext4 gives a file.
MAX_SIZE = 8 << 40
#: What is checked of the base: partition tables and file systems have random ids in there.
_BASE_HEAD = 1 << 16

_FIELDS = struct.Struct("<8sIIQQQQQI")  # little-endian; all after it is zero up to the checksum
_CHECKSUM = struct.Struct("<I")
_CHECKSUM_AT = HEADER_SIZE - _CHECKSUM.size


class OverlayError(ValueError):
    """The file is no sound overlay, or does not go with its base. The message says which file and why."""


def round_up(size: int, unit: int) -> int:
    return -(-size // unit) * unit


@dataclass(frozen=True)
class Header:
    """``size`` of the disk and ``base_size`` in bytes, 0 without a base; ``base_crc`` of the base's first 64 KiB."""

    size: int
    base_size: int = 0
    base_crc: int = 0

    @property
    def granules(self) -> int:
        return round_up(self.size, GRANULE) >> GRANULE_BITS

    @property
    def bitmap_offset(self) -> int:
        return HEADER_SIZE

    @property
    def bitmap_size(self) -> int:
        """In bytes, whole pages."""
        return round_up(self.granules, 8 * HEADER_SIZE) >> 3

    @property
    def data_offset(self) -> int:
        return round_up(self.bitmap_offset + self.bitmap_size, DATA_ALIGNMENT)

    @property
    def file_size(self) -> int:
        return self.data_offset + (self.granules << GRANULE_BITS)

    def pack(self) -> bytes:
        """The header page."""
        fields = _FIELDS.pack(
            *(MAGIC, VERSION, GRANULE_BITS, self.size, self.bitmap_offset, self.bitmap_size, self.data_offset),
            *(self.base_size, self.base_crc),
        )
        page = fields.ljust(_CHECKSUM_AT, b"\0")
        return page + _CHECKSUM.pack(zlib.crc32(page))


def unpack(page: bytes, name: object) -> Header:
    """Read a header page; ``name`` of the file is for messages.

    :raises OverlayError: it is none, is damaged, or of another version.
    """
    if len(page) != HEADER_SIZE or not page.startswith(MAGIC):
        raise OverlayError(f"{name} is not an overlay.")
    if _CHECKSUM.unpack_from(page, _CHECKSUM_AT)[0] != zlib.crc32(page[:_CHECKSUM_AT]):
        raise OverlayError(f"The header of {name} is damaged.")
    _, version, granule_bits, size, bitmap_offset, bitmap_size, data_offset, base_size, base_crc = _FIELDS.unpack_from(
        page
    )
    if (version, granule_bits) != (VERSION, GRANULE_BITS):
        raise OverlayError(f"{name} is an overlay of version {version}, granule 2^{granule_bits}: not known here.")
    if not 0 < size <= MAX_SIZE or size % SECTOR or base_size > size:
        raise OverlayError(f"{name} has an impossible size: {size} bytes over a base of {base_size}.")
    header = Header(size, base_size, base_crc)
    if (bitmap_offset, bitmap_size, data_offset) != (header.bitmap_offset, header.bitmap_size, header.data_offset):
        raise OverlayError(f"{name} has its parts at impossible places.")
    return header


def read_header(fd: int, name: object) -> Header:
    """Of an open file, whose length is checked as well.

    :raises OverlayError: as ``unpack``, or the file was cut off.
    """
    with mmap.mmap(-1, HEADER_SIZE) as page:  # whole pages, as O_DIRECT wants them
        header = unpack(page[: os.preadv(fd, [page], 0)], name)
    there = os.fstat(fd).st_size
    if there < header.file_size:
        raise OverlayError(f"{name} was cut off: {there} bytes instead of {header.file_size}.")
    return header


def describe_base(fd: int) -> tuple[int, int]:
    """``base_size`` and ``base_crc`` of an open base."""
    return os.lseek(fd, 0, os.SEEK_END), zlib.crc32(os.pread(fd, _BASE_HEAD, 0))


def check_base(header: Header, base_fd: int | None, name: object) -> None:
    """:raises OverlayError: a base is missing, is not wanted, or is not the one that the overlay was made for."""
    if (base_fd is None) != (header.base_size == 0):
        raise OverlayError(f"{name} {'needs its base' if header.base_size else 'has no base'}.")
    if base_fd is None:
        return
    size, crc = describe_base(base_fd)
    if size != header.base_size:
        raise OverlayError(f"The base of {name} has {size} bytes; it had {header.base_size}.")
    if crc != header.base_crc:
        raise OverlayError(f"The base of {name} is another one, or was written to.")
