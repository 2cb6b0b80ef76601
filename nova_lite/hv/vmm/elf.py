"""Reads a static ELF file for x86-64: its segments, its 64-bit entry and the PVH entry in its notes.

The file is hostile: every number in it is checked before it is used.
"""

from __future__ import annotations

import struct

from nova_lite.hv.vmm.kernel_file import (
    ELF64,
    KERNEL_MIN_ADDRESS,
    MAPPED_END,
    PVH,
    Kernel,
    LoaderError,
    Segment,
    Source,
    in_memory,
)

MAGIC = b"\x7fELF"
MAX_SEGMENTS = 64
#: Linux's notes have some 500 bytes.
MAX_NOTES = 64 * 1024

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_NOTE = struct.Struct("<III")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_NOTE = 1, 2, 3, 4
_XEN_PHYS32_ENTRY = 18
_ET_NAMES = {1: "an object file that was never linked", 3: "a shared object", 4: "a core dump"}
_EM_X86_64 = 62
_EM_NAMES = {3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S390", 40: "ARM", 183: "AArch64", 243: "RISC-V"}


def inspect(source: Source, memory_size: int, pvh: bool = False) -> Kernel:
    """Check every claim of the file against its size and the memory; raises LoaderError."""
    name, size = source.name, source.size
    entry, table, count = _header(source)
    if table > size - count * _SEGMENT.size:
        raise LoaderError(f"The image '{name}' is truncated: its segment table lies beyond its end.")
    headers = list(_SEGMENT.iter_unpack(source.read(table, count * _SEGMENT.size)))
    segments = _segments(headers, source, memory_size)
    if pvh:
        entry = _pvh_entry(headers, source)
    if not any(s.address <= entry < s.end for s in segments):
        raise LoaderError(f"The image '{name}' has its entry point {entry:#x} outside of what it loads.")
    if entry >= MAPPED_END:
        raise LoaderError(f"The image '{name}' has its entry point {entry:#x} above 4 GiB.")
    return Kernel(PVH if pvh else ELF64, entry, tuple(segments), source, operating_system=pvh)


def _header(source: Source) -> tuple[int, int, int]:
    """Entry point, offset of the segment table, number of segments."""
    name = source.name
    head = source.read(0, min(source.size, _HEADER.size))
    if len(head) >= 5 and head[4] == 1:
        raise LoaderError(f"The image '{name}' is a 32-bit ELF file; only 64-bit ones can be booted.")
    if len(head) < _HEADER.size:
        raise LoaderError(f"The image '{name}' is truncated: it ends within its ELF header.")
    ident, kind, machine, _, entry, table, _, _, _, entry_size, count, _, _, _ = _HEADER.unpack(head)
    if ident[4] != 2 or ident[6] != 1:
        raise LoaderError(f"The image '{name}' is an ELF file of no known class or version.")
    if ident[5] != 1:
        raise LoaderError(f"The image '{name}' is a big-endian ELF file; only ones for x86-64 can be booted.")
    if machine != _EM_X86_64:
        what = _EM_NAMES.get(machine, f"machine number {machine}")
        raise LoaderError(f"The image '{name}' is an ELF file for {what}; only ones for x86-64 can be booted.")
    if kind != 2:
        what = _ET_NAMES.get(kind, f"an ELF file of type {kind}")
        raise LoaderError(f"The image '{name}' is {what}; only static ELF programs can be booted.")
    if entry_size != _SEGMENT.size or not 1 <= count <= MAX_SEGMENTS:
        raise LoaderError(
            f"The image '{name}' announces {count} segments of {entry_size} bytes each; "
            f"1 to {MAX_SEGMENTS} of {_SEGMENT.size} bytes are possible."
        )
    return entry, table, count


def _segments(headers: list[tuple[int, ...]], source: Source, memory_size: int) -> list[Segment]:
    name, size = source.name, source.size
    segments: list[Segment] = []
    for kind, _flags, offset, _virtual, address, file_size, memory, _align in headers:
        if kind in (_PT_INTERP, _PT_DYNAMIC):
            raise LoaderError(f"The image '{name}' is dynamically linked; only static ELF programs can be booted.")
        if kind != _PT_LOAD or memory == 0:
            continue
        if file_size > memory:
            raise LoaderError(f"The image '{name}' has a segment with more bytes in the file than in memory.")
        if offset > size or file_size > size - offset:
            raise LoaderError(f"The image '{name}' is truncated: a segment lies beyond its end.")
        if address < KERNEL_MIN_ADDRESS:
            raise LoaderError(
                f"The image '{name}' has a segment at {address:#x}; below {KERNEL_MIN_ADDRESS:#x} memory is set aside."
            )
        if not in_memory(address, memory, memory_size):
            raise LoaderError(
                f"The image '{name}' has a segment at {address:#x} of {memory} bytes, "
                f"which does not fit the server's {memory_size // (1 << 20)} MiB of memory."
            )
        segments.append(Segment(offset, address, file_size, memory))
    if not segments:
        raise LoaderError(f"The image '{name}' has nothing to load.")
    segments.sort(key=lambda s: s.address)
    for before, after in zip(segments, segments[1:], strict=False):
        if before.end > after.address:
            raise LoaderError(f"The image '{name}' has segments that overlap at {after.address:#x}.")
    return segments


def _pvh_entry(headers: list[tuple[int, ...]], source: Source) -> int:
    """The address in Xen's note PHYS32_ENTRY (Xen, xen/include/public/elfnote.h)."""
    for kind, _flags, offset, _virtual, _address, file_size, _memory, _align in headers:
        if kind != _PT_NOTE:
            continue
        if file_size > MAX_NOTES or offset > source.size or file_size > source.size - offset:
            raise LoaderError(f"The image '{source.name}' has notes that lie beyond its end or are too long.")
        entry = _find_phys32_entry(source.read(offset, file_size))
        if entry is not None:
            return entry
    raise LoaderError(f"The image '{source.name}' has no PVH entry point.")


def _find_phys32_entry(notes: bytes) -> int | None:
    at = 0
    while at + _NOTE.size <= len(notes):
        name_size, size, kind = _NOTE.unpack_from(notes, at)
        name_at = at + _NOTE.size
        value_at = name_at + -(-name_size // 4) * 4
        at = value_at + -(-size // 4) * 4
        if kind == _XEN_PHYS32_ENTRY and size in (4, 8) and notes[name_at : name_at + name_size] == b"Xen\0":
            value = notes[value_at : value_at + size]
            return int.from_bytes(value, "little") if len(value) == size else None
    return None
