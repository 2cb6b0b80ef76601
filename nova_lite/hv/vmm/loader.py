"""Puts a kernel into a machine's memory and points vCPU 0 at it.

Two formats so far: a static ELF file for x86-64, started in long mode with Linux's boot_params in rsi, as the 64-bit
boot protocol has it (Linux, Documentation/arch/x86/boot.rst); and a flat 16-bit binary, in real mode at 0x10000.
Everything else is refused by its name. A flat binary bears no mark: it is a file that may be one (at most 64 KiB, of no
format known here, not text) or one that is announced as such.
The file is hostile: every number in it is checked before it is used.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

FLAT16, ELF64 = "flat16", "elf64"
FORMATS = (FLAT16, ELF64)

FLAT16_ADDRESS = 0x10000
#: One real-mode segment.
FLAT16_MAX_SIZE = 64 * 1024
BOOT_PARAMS_ADDRESS = 0x7000
CMDLINE_ADDRESS = 0x20000
CMDLINE_MAX_SIZE = 2047
#: Below lie the page tables, boot_params and the command line; Linux wants its trampolines there as well.
KERNEL_MIN_ADDRESS = 0x100000
#: Where set_long_mode's page tables end.
MAPPED_END = 4 << 30
LOW_RESERVED = 0x9FC00
LOW_MEMORY_END, HIGH_MEMORY_START = 3 << 30, 4 << 30
ELF_MAX_SEGMENTS = 64

_CHUNK = 1 << 20
_ELF_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_ET_NAMES = {1: "an object file that was never linked", 3: "a shared object", 4: "a core dump"}
_EM_X86_64 = 62
_EM_NAMES = {3: "i386", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S390", 40: "ARM", 183: "AArch64", 243: "RISC-V"}
_E820 = struct.Struct("<QQI")
_E820_RAM, _E820_RESERVED = 1, 2

#: (offset, magic, name): what people try to boot and what it is.
_KNOWN: Sequence[tuple[int, bytes, str]] = (
    (0x202, b"HdrS", "a Linux bzImage"),
    (0, b"MZ", "a PE/EFI program"),
    (0, b"\x1f\x8b", "a gzip file"),
    (0, b"\xfd7zXZ\0", "an xz file"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file"),
    (0, b"\x04\x22\x4d\x18", "an lz4 file"),
    (0, b"\x02\x21\x4c\x18", "an lz4 file"),
    (0, b"BZh", "a bzip2 file"),
    (0, b"\x5d\0\0", "an lzma file"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"QFI\xfb", "a qcow2 disk image"),
    (0, b"KDMV", "a VMDK disk image"),
    (0, b"conectix", "a VHD disk image"),
    (0, b"vhdxfile", "a VHDX disk image"),
    (0, b"070701", "a cpio archive"),
    (0, b"#!", "a script"),
    (0x8001, b"CD001", "an ISO 9660 image"),
    (0x1FE, b"\x55\xaa", "a boot sector or disk image"),
)
_HEAD_SIZE = 0x8006


class LoaderError(Exception):
    """The kernel cannot be loaded. ``str(error)`` is a sentence for the API's user; it never names a folder."""


class GuestMemory(Protocol):
    """What the loader needs of a machine (``nova_lite.hv.native.machine.Machine`` has it)."""

    @property
    def memory_size(self) -> int: ...
    def write_memory(self, gpa: int, data: bytes) -> None: ...
    def set_real_mode(self, address: int) -> None: ...
    def set_long_mode(self, entry: int, rsi: int = 0) -> None: ...


@dataclass(frozen=True)
class Segment:
    """A part of an ELF file: ``file_size`` bytes at ``offset`` go to ``address``; zeroes up to ``memory_size``."""

    offset: int
    address: int
    file_size: int
    memory_size: int


@dataclass(frozen=True)
class Kernel:
    """A file that was looked at and found loadable."""

    format: str
    entry: int
    segments: tuple[Segment, ...]


def load(
    machine: GuestMemory,
    path: str | os.PathLike[str],
    cmdline: str = "",
    format: str | None = None,
    fd: int | None = None,
) -> str:
    """Load the kernel and set vCPU 0 up for it; returns its format, ``flat16`` or ``elf64``.

    ``format`` says what the file must be; None recognises it. ``fd``: an open file to read instead of ``path``, which
    then only gives the name for messages. Nothing is loaded unless all of the file was found sound. Raises LoaderError.
    """
    name = Path(path).name
    own = _open(path, name) if fd is None else -1
    try:
        source = own if fd is None else fd
        kernel = inspect(source, name, machine.memory_size, format)
        line = _encode_cmdline(cmdline)
        for segment in kernel.segments:
            _copy(machine, source, segment, name)
        if kernel.format == FLAT16:
            machine.set_real_mode(kernel.entry)
        else:
            _write_boot_params(machine, line)
            machine.set_long_mode(kernel.entry, rsi=BOOT_PARAMS_ADDRESS)
        return kernel.format
    finally:
        if own >= 0:
            os.close(own)


def check(path: str | os.PathLike[str], memory_size: int, format: str | None = None) -> str:
    """Say without a machine whether ``load`` would take this file; returns its format, raises LoaderError."""
    name = Path(path).name
    fd = _open(path, name)
    try:
        return inspect(fd, name, memory_size, format).format
    finally:
        os.close(fd)


def inspect(fd: int, name: str, memory_size: int, format: str | None = None) -> Kernel:
    """Check every claim of the file against its size and the memory; raises LoaderError."""
    if format is not None and format not in FORMATS:
        raise LoaderError(f"The kernel format {format!r} is not known; use one of {', '.join(FORMATS)}.")
    status = os.fstat(fd)
    if stat.S_ISDIR(status.st_mode):
        raise LoaderError(f"The image '{name}' is a directory, not a kernel.")
    if not stat.S_ISREG(status.st_mode):
        raise LoaderError(f"The image '{name}' is not a regular file.")
    if status.st_size == 0:
        raise LoaderError(f"The image '{name}' is empty.")
    head = os.pread(fd, _HEAD_SIZE, 0)
    if head.startswith(b"\x7fELF"):
        if format == FLAT16:
            raise LoaderError(f"The image '{name}' is announced as {FLAT16} but is an ELF file.")
        return _inspect_elf(fd, head, status.st_size, name, memory_size)
    if format == FLAT16:
        return _inspect_flat16(status.st_size, name, memory_size)
    known = _recognise(head)
    if known is None and format == ELF64:
        known = "no ELF file"
    if known is None and status.st_size <= FLAT16_MAX_SIZE and not _is_text(fd, status.st_size):
        return _inspect_flat16(status.st_size, name, memory_size)
    raise LoaderError(
        f"The image '{name}' is {known or 'of no format known here'}; "
        f"only static 64-bit ELF kernels and flat 16-bit binaries can be booted."
    )


def _open(path: str | os.PathLike[str], name: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise LoaderError(f"The image '{name}' does not exist.") from None
    except OSError as error:
        raise LoaderError(f"The image '{name}' cannot be read: {error.strerror}.") from None
    except ValueError:
        raise LoaderError("The image has a name that no file can have.") from None


def _recognise(head: bytes) -> str | None:
    for offset, magic, description in _KNOWN:
        if head[offset : offset + len(magic)] == magic:
            return description
    return None


def _is_text(fd: int, size: int) -> bool:
    """No program is without a byte that no text has; a page of HTML from a failed download is."""
    try:
        content = os.pread(fd, size, 0).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\f" for character in content)


# -- flat binaries --------------------------------------------------------------------------------------------------


def _inspect_flat16(size: int, name: str, memory_size: int) -> Kernel:
    if size > FLAT16_MAX_SIZE:
        raise LoaderError(
            f"The image '{name}' has {size} bytes; a flat 16-bit binary has at most {FLAT16_MAX_SIZE}, one segment."
        )
    if FLAT16_ADDRESS + size > memory_size:
        raise LoaderError(
            f"The image '{name}' needs memory up to {FLAT16_ADDRESS + size:#x}, the server has {memory_size} bytes."
        )
    return Kernel(FLAT16, FLAT16_ADDRESS, (Segment(0, FLAT16_ADDRESS, size, size),))


# -- ELF ------------------------------------------------------------------------------------------------------------


def _inspect_elf(fd: int, head: bytes, size: int, name: str, memory_size: int) -> Kernel:
    if len(head) >= 5 and head[4] == 1:
        raise LoaderError(f"The image '{name}' is a 32-bit ELF file; only 64-bit ones can be booted.")
    if len(head) < _ELF_HEADER.size:
        raise LoaderError(f"The image '{name}' is truncated: it ends within its ELF header.")
    ident, kind, machine, _, entry, table, _, _, _, entry_size, count, _, _, _ = _ELF_HEADER.unpack_from(head)
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
    if entry_size != _SEGMENT.size or not 1 <= count <= ELF_MAX_SEGMENTS:
        raise LoaderError(
            f"The image '{name}' announces {count} segments of {entry_size} bytes each; "
            f"1 to {ELF_MAX_SEGMENTS} of {_SEGMENT.size} bytes are possible."
        )
    if table > size - count * _SEGMENT.size:
        raise LoaderError(f"The image '{name}' is truncated: its segment table lies beyond its end.")
    raw = os.pread(fd, count * _SEGMENT.size, table)
    if len(raw) != count * _SEGMENT.size:
        raise LoaderError(f"The image '{name}' changed while it was read.")
    segments = _segments(raw, size, name, memory_size)
    if not any(s.address <= entry < s.address + s.memory_size for s in segments):
        raise LoaderError(f"The image '{name}' has its entry point {entry:#x} outside of what it loads.")
    if entry >= MAPPED_END:
        raise LoaderError(f"The image '{name}' has its entry point {entry:#x} above 4 GiB.")
    return Kernel(ELF64, entry, tuple(segments))


def _segments(table: bytes, size: int, name: str, memory_size: int) -> list[Segment]:
    segments: list[Segment] = []
    for kind, _flags, offset, _virtual, address, file_size, memory, _align in _SEGMENT.iter_unpack(table):
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
        if not _in_memory(address, memory, memory_size):
            raise LoaderError(
                f"The image '{name}' has a segment at {address:#x} of {memory} bytes, "
                f"which does not fit the server's {memory_size // (1 << 20)} MiB of memory."
            )
        segments.append(Segment(offset, address, file_size, memory))
    if not segments:
        raise LoaderError(f"The image '{name}' has nothing to load.")
    segments.sort(key=lambda s: s.address)
    for before, after in zip(segments, segments[1:], strict=False):
        if before.address + before.memory_size > after.address:
            raise LoaderError(f"The image '{name}' has segments that overlap at {after.address:#x}.")
    return segments


def memory_areas(memory_size: int) -> list[tuple[int, int]]:
    """(address, size) of RAM: below 3 GiB, and what is left above 4 GiB."""
    low = min(memory_size, LOW_MEMORY_END)
    high = memory_size - low
    return [(0, low)] + ([(HIGH_MEMORY_START, high)] if high else [])


def _in_memory(address: int, size: int, memory_size: int) -> bool:
    return any(start <= address and address + size <= start + length for start, length in memory_areas(memory_size))


def _copy(machine: GuestMemory, fd: int, segment: Segment, name: str) -> None:
    """The machine's memory is fresh, so what follows the file's bytes is zero already."""
    done = 0
    while done < segment.file_size:
        chunk = os.pread(fd, min(_CHUNK, segment.file_size - done), segment.offset + done)
        if not chunk:
            raise LoaderError(f"The image '{name}' changed while it was read.")
        machine.write_memory(segment.address + done, chunk)
        done += len(chunk)


# -- boot_params ----------------------------------------------------------------------------------------------------


def _encode_cmdline(cmdline: str) -> bytes:
    line = cmdline.encode("utf-8", "surrogateescape")
    if len(line) > CMDLINE_MAX_SIZE:
        raise LoaderError(f"The kernel command line has {len(line)} bytes; {CMDLINE_MAX_SIZE} are possible.")
    if b"\0" in line:
        raise LoaderError("The kernel command line contains a NUL character.")
    return line


def _write_boot_params(machine: GuestMemory, line: bytes) -> None:
    """Linux's zero page: signature, command line and the map of memory (e820)."""
    page = bytearray(4096)
    struct.pack_into("<H4sH", page, 0x1FE, 0xAA55, b"HdrS", 0x020F)
    page[0x210] = 0xFF  # type_of_loader: none that has a number
    page[0x211] = 0x01  # loadflags: LOADED_HIGH
    struct.pack_into("<II", page, 0x228, CMDLINE_ADDRESS, 0)
    struct.pack_into("<I", page, 0x238, CMDLINE_MAX_SIZE)
    areas = _e820(machine.memory_size)
    page[0x1E8] = len(areas)
    for index, area in enumerate(areas):
        _E820.pack_into(page, 0x2D0 + index * _E820.size, *area)
    machine.write_memory(BOOT_PARAMS_ADDRESS, bytes(page))
    machine.write_memory(CMDLINE_ADDRESS, line + b"\0")


def _e820(memory_size: int) -> list[tuple[int, int, int]]:
    (_, low), *high = memory_areas(memory_size)
    areas = [
        (0, LOW_RESERVED, _E820_RAM),
        (LOW_RESERVED, KERNEL_MIN_ADDRESS - LOW_RESERVED, _E820_RESERVED),
        (KERNEL_MIN_ADDRESS, low - KERNEL_MIN_ADDRESS, _E820_RAM),
    ]
    return areas + [(start, size, _E820_RAM) for start, size in high]
