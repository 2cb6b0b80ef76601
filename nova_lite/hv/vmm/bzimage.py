"""Reads a Linux bzImage: its setup header, where its protected-mode code goes, and the kernel packed in it.

Field names and offsets are those of Linux, Documentation/arch/x86/boot.rst. The file is hostile: every number in it is
checked before it is used.
"""

from __future__ import annotations

import struct

from nova_lite.hv.vmm.kernel_file import (
    BZIMAGE,
    KERNEL_MIN_ADDRESS,
    MAPPED_END,
    Kernel,
    LoaderError,
    Segment,
    Source,
    in_memory,
)

HEADER_START = 0x1F1
#: The header may grow up to boot_params' next field.
HEADER_END_MAX = 0x290
#: 2.12 (Linux 3.8) is the first with xloadflags, which tell of the 64-bit entry.
OLDEST_PROTOCOL = 0x020C
ENTRY_64 = 0x200

_MAGIC = b"HdrS"
_SECTOR = 512
_LOADED_HIGH = 0x01
_XLF_KERNEL_64 = 0x01
_HEAD_SIZE = 0x290
_PAGE = 4096
#: More than any distribution's kernel has, packed.
_PACKED_MAX_SIZE = 128 << 20


def recognise(head: bytes) -> bool:
    """Whether a file that begins so says that it is one."""
    return head[0x202:0x206] == _MAGIC


class _Header:
    """The setup header's fields that are used here."""

    def __init__(self, source: Source) -> None:
        name = source.name
        head = source.read(0, min(source.size, _HEAD_SIZE))
        if len(head) < _HEAD_SIZE:
            raise LoaderError(f"The image '{name}' is truncated: it ends within its setup header.")
        (protocol,) = struct.unpack_from("<H", head, 0x206)
        if protocol < OLDEST_PROTOCOL:
            raise LoaderError(
                f"The image '{name}' speaks version {protocol >> 8}.{protocol & 0xFF} of the boot protocol; "
                f"{OLDEST_PROTOCOL >> 8}.{OLDEST_PROTOCOL & 0xFF} is the oldest that can be booted."
            )
        end = 0x202 + head[0x201]
        if not 0x268 <= end <= HEADER_END_MAX:
            raise LoaderError(f"The image '{name}' has a setup header of impossible length.")
        self.raw = head[HEADER_START:end]
        (xloadflags,) = struct.unpack_from("<H", head, 0x236)
        if not head[0x211] & _LOADED_HIGH:
            raise LoaderError(f"The image '{name}' is a zImage, which loads low; only bzImages can be booted.")
        if not xloadflags & _XLF_KERNEL_64:
            raise LoaderError(f"The image '{name}' is a 32-bit Linux kernel; only 64-bit ones can be booted.")
        self.code_offset = ((head[HEADER_START] or 4) + 1) * _SECTOR
        (sixteenths,) = struct.unpack_from("<I", head, 0x1F4)
        self.code_size = sixteenths * 16
        if self.code_offset + self.code_size > source.size:
            # The last sixteenth may be cut short; what is signed or appended comes after it.
            if self.code_offset + self.code_size >= source.size + 16:
                raise LoaderError(f"The image '{name}' is truncated: its kernel lies beyond its end.")
            self.code_size = source.size - self.code_offset
        if self.code_size <= ENTRY_64:
            raise LoaderError(f"The image '{name}' has no kernel behind its setup code.")
        self.payload_offset, self.payload_size, _setup_data, self.load_address, self.init_size = struct.unpack_from(
            "<IIQQI", head, 0x248
        )


def inspect(source: Source, memory_size: int) -> Kernel:
    """A bzImage that unpacks itself where it prefers to run; raises LoaderError."""
    header, name = _Header(source), source.name
    address, needed = header.load_address, max(header.init_size, header.code_size)
    if address < KERNEL_MIN_ADDRESS or address % _PAGE or address + needed > MAPPED_END:
        raise LoaderError(f"The image '{name}' wants to be loaded at {address:#x}, where no kernel can be.")
    if not in_memory(address, needed, memory_size):
        raise LoaderError(
            f"The image '{name}' needs memory up to {(address + needed) / (1 << 20):.0f} MiB to unpack itself, "
            f"the server has {memory_size >> 20} MiB."
        )
    segment = Segment(header.code_offset, address, header.code_size, needed)
    return Kernel(BZIMAGE, address + ENTRY_64, (segment,), source, header.raw, operating_system=True)


def packed_kernel(source: Source) -> bytes:
    """The compressed vmlinux, without the length that follows it; raises LoaderError."""
    header = _Header(source)
    offset, size = header.payload_offset, header.payload_size
    if offset > header.code_size or size > header.code_size - offset or size <= 4:
        raise LoaderError(f"The image '{source.name}' has its packed kernel beyond its end.")
    if size > _PACKED_MAX_SIZE:
        raise LoaderError(f"The image '{source.name}' has a packed kernel of more than {_PACKED_MAX_SIZE >> 20} MiB.")
    return source.read(header.code_offset + offset, size - 4)
