"""A bounded reader of qcow2 images, versions 2 and 3. Every byte of such a file is hostile.

Follows QEMU's docs/interop/qcow2.txt. Nothing that the file claims is believed before it has been compared with the
file's real length: tables are read at most once, a cluster of the file is used at most once, and what is unpacked
comes to no more than ``MAX_RATIO`` times what it was packed in.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import zstandard

MAGIC = b"QFI\xfb"
#: QEMU's own limit of an L1 table, in bytes.
MAX_L1_BYTES = 32 << 20
#: Clusters are packed one by one; what a disk holds in earnest shrinks to a hundredth at best.
MAX_RATIO = 200
#: Below this much unpacked data a high ratio does no harm, in bytes.
RATIO_FREE = 64 << 20
_HEADER_2 = struct.Struct(">4sIQIIQIIQQIIQ")
_HEADER_3 = struct.Struct(">QQQII")
_OFFSET = 0x00FF_FFFF_FFFF_FE00
_COMPRESSED = 1 << 62
_ZERO = 1
_INCOMPATIBLE = {1: "is marked corrupt", 2: "keeps its data in another file", 4: "has extended L2 entries"}
_DIRTY, _COMPRESSION_TYPE = 0, 3


class Qcow2Error(Exception):
    """The file cannot be taken. ``str(error)`` says why, for the user who gave it."""


@dataclass(frozen=True)
class Header:
    """What the header says, checked. ``size`` is the disk's, in bytes."""

    version: int
    cluster_bits: int
    size: int
    l1_size: int
    l1_offset: int
    zstd: bool

    @property
    def cluster_size(self) -> int:
        return 1 << self.cluster_bits


class Reader:
    """Reads the disk in a qcow2 file.

    :param descriptor: of the file; read with ``pread`` only.
    :param max_size: the largest disk that is taken, in bytes.
    :raises Qcow2Error: from here and from every method.
    """

    def __init__(self, descriptor: int, max_size: int) -> None:
        self._fd = descriptor
        self._length = os.fstat(descriptor).st_size
        self.header = self._read_header(max_size)
        self._entries = (1 << self.header.cluster_bits) // 8
        self._used: set[int] = set()
        self._unpacked = self._packed = 0

    def data(self) -> Iterator[tuple[int, bytes]]:
        """(offset on the disk, bytes) of every cluster that holds data, in order; what is left out is zeros."""
        header = self.header
        l1 = self._table(header.l1_offset, header.l1_size, "L1 table")
        for number, entry in enumerate(l1):
            if table_offset := entry & _OFFSET:
                self._use(table_offset, "L2 table")
                l2 = self._table(table_offset, self._entries, "L2 table")
                yield from self._clusters(l2, number * self._entries << header.cluster_bits)

    def _clusters(self, l2: tuple[int, ...], base: int) -> Iterator[tuple[int, bytes]]:
        header = self.header
        for number, entry in enumerate(l2):
            at = base + (number << header.cluster_bits)
            if entry == 0:
                continue
            if at >= header.size:
                raise Qcow2Error("it has data beyond the end of the disk")
            if entry & _COMPRESSED:
                data = self._decompressed(entry)
            elif (entry & _ZERO and header.version >= 3) or not entry & _OFFSET:
                continue
            else:
                offset = entry & _OFFSET
                self._use(offset, "cluster")
                # QEMU ends a file with the last byte in use: the rest of the last cluster is zeros.
                data = self._bytes(offset, min(header.cluster_size, max(0, self._length - offset)), "cluster")
            yield at, data[: header.size - at]

    def _decompressed(self, entry: int) -> bytes:
        bits = 62 - (self.header.cluster_bits - 8)
        offset = entry & ((1 << bits) - 1)
        sectors = (entry & (_COMPRESSED - 1)) >> bits
        length = (sectors + 1) * 512 - offset % 512
        packed = self._bytes(offset, min(length, max(0, self._length - offset)), "compressed cluster")
        size = self.header.cluster_size
        try:
            if self.header.zstd:
                unpacker = zstandard.ZstdDecompressor(max_window_size=1 << 23).stream_reader(packed)
                data = unpacker.read(size)
            else:
                data = zlib.decompressobj(-15).decompress(packed, size)
        except (zlib.error, zstandard.ZstdError) as error:
            raise Qcow2Error(f"a compressed cluster at {offset} does not unpack: {error}") from error
        if len(data) != size:
            raise Qcow2Error(f"a compressed cluster at {offset} unpacks to {len(data)} bytes, not {size}")
        # Neighbours share a sector, so what is counted is what is spanned at least.
        self._packed += max(1, len(packed) - 511)
        self._unpacked += size
        if self._unpacked > RATIO_FREE and self._unpacked > MAX_RATIO * min(self._packed, self._length):
            raise Qcow2Error(f"its compressed data unpacks to more than {MAX_RATIO} times its size")
        return data

    def _use(self, offset: int, what: str) -> None:
        if offset & (self.header.cluster_size - 1):
            raise Qcow2Error(f"a {what} at {offset} does not begin at a cluster")
        if offset in self._used:
            raise Qcow2Error(f"the cluster at {offset} is used twice")
        self._used.add(offset)

    def _table(self, offset: int, entries: int, what: str) -> tuple[int, ...]:
        return struct.unpack(f">{entries}Q", self._bytes(offset, 8 * entries, what))

    def _bytes(self, offset: int, length: int, what: str) -> bytes:
        if length <= 0 or offset + length > self._length:
            raise Qcow2Error(f"a {what} at {offset} lies beyond the end of the file: it is cut off or lies")
        data = os.pread(self._fd, length, offset)
        if len(data) != length:
            raise Qcow2Error("the file became shorter while it was read")
        return data

    def _read_header(self, max_size: int) -> Header:
        head = os.pread(self._fd, 112, 0)
        if len(head) < _HEADER_2.size or head[:4] != MAGIC:
            raise Qcow2Error("it does not begin like a qcow2 image")
        (
            _,
            version,
            backing_offset,
            _,
            cluster_bits,
            size,
            crypt_method,
            l1_size,
            l1_offset,
            _,
            _,
            _,
            _,
        ) = _HEADER_2.unpack_from(head)
        if version not in (2, 3):
            raise Qcow2Error(f"version {version} of qcow2 is not known (2 and 3 are)")
        if backing_offset:
            raise Qcow2Error("it has a backing file: flatten it with `qemu-img convert`")
        if crypt_method:
            raise Qcow2Error("it is encrypted")
        if not 9 <= cluster_bits <= 21:
            raise Qcow2Error(f"its clusters of 2^{cluster_bits} bytes are not between 2^9 and 2^21")
        zstd = _features(head) if version == 3 else False
        if not 0 < size <= max_size:
            raise Qcow2Error(f"its disk of {size} bytes is not between 1 and {max_size} bytes")
        per_table = 1 << (2 * cluster_bits - 3)
        needed = -(-size // per_table)
        if l1_size < needed:
            raise Qcow2Error(f"its L1 table of {l1_size} entries is too small for its disk of {size} bytes")
        if 8 * l1_size > MAX_L1_BYTES:
            raise Qcow2Error(f"its L1 table of {l1_size} entries is larger than {MAX_L1_BYTES} bytes")
        return Header(version, cluster_bits, size, needed, l1_offset, zstd)


def _features(head: bytes) -> bool:
    """Whether clusters are packed with zstd. Raises Qcow2Error for what cannot be read."""
    if len(head) < _HEADER_2.size + _HEADER_3.size:
        raise Qcow2Error("its header is cut off")
    incompatible, _, _, _, header_length = _HEADER_3.unpack_from(head, _HEADER_2.size)
    for bit in range(64):
        if incompatible >> bit & 1 and bit not in (_DIRTY, _COMPRESSION_TYPE):
            raise Qcow2Error(f"it {_INCOMPATIBLE.get(bit, f'uses feature {bit}, which is not known')}")
    if header_length < 104:
        raise Qcow2Error(f"its header of {header_length} bytes is too short")
    if not incompatible >> _COMPRESSION_TYPE & 1:
        return False
    if header_length < 112 or len(head) < 105 or head[104] not in (0, 1):
        raise Qcow2Error("its compression is neither zlib nor zstd")
    return head[104] == 1
