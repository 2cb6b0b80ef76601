"""What the loaders share: a file to read from, what was found in it, the map of guest memory, and the way to say no."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

FLAT16, ELF64, PVH, BZIMAGE = "flat16", "elf64", "pvh", "bzimage"
#: How a kernel can be started: a flat binary in real mode; an ELF file by its 64-bit entry or by Xen's PVH entry; a
#: bzImage by its 64-bit entry, with its own decompressor.
FORMATS = (FLAT16, ELF64, PVH, BZIMAGE)

#: Below lie page tables, boot parameters, command line, ACPI tables, reset vector; Linux wants trampolines there too.
KERNEL_MIN_ADDRESS = 0x100000
LOW_MEMORY_END, HIGH_MEMORY_START = 3 << 30, 4 << 30
#: Where set_long_mode's page tables end.
MAPPED_END = 4 << 30

_CHUNK = 1 << 20


class LoaderError(Exception):
    """The kernel cannot be loaded. ``str(error)`` is a sentence for the API's user; it never names a folder."""


class GuestMemory(Protocol):
    """What the loaders need of a machine (``nova_lite.hv.native.machine.Machine`` has it)."""

    memory_size: int
    vcpus: int
    pvpanic: bool
    watchdog: bool
    apic_ids: tuple[int, ...] | None

    def write_memory(self, gpa: int, data: bytes | memoryview) -> None: ...
    def set_real_mode(self, address: int) -> None: ...
    def set_long_mode(self, entry: int, rsi: int = 0) -> None: ...
    def set_pvh(self, entry: int, start_info: int) -> None: ...


@dataclass(frozen=True)
class Segment:
    """A part of a kernel: ``file_size`` bytes at ``offset`` go to ``address``; zeroes up to ``memory_size``."""

    offset: int
    address: int
    file_size: int
    memory_size: int

    @property
    def end(self) -> int:
        return self.address + self.memory_size


class Source:
    """A file, or the content of one, of a fixed size. It may change under our hands; then reading it fails."""

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = name, size

    def read(self, offset: int, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises LoaderError."""
        raise NotImplementedError

    def chunks(self, offset: int, size: int) -> Iterator[bytes | memoryview]:
        """``size`` bytes from ``offset`` in parts of at most 1 MiB. Raises LoaderError."""
        for start in range(0, size, _CHUNK):
            yield self.read(offset + start, min(_CHUNK, size - start))


class File(Source):
    """An open regular file; the descriptor stays the caller's."""

    def __init__(self, fd: int, name: str, what: str = "kernel") -> None:
        status = os.fstat(fd)
        if stat.S_ISDIR(status.st_mode):
            raise LoaderError(f"The image '{name}' is a directory, not {_article(what)} {what}.")
        if not stat.S_ISREG(status.st_mode):
            raise LoaderError(f"The image '{name}' is not a regular file.")
        if status.st_size == 0:
            raise LoaderError(f"The image '{name}' is empty.")
        super().__init__(name, status.st_size)
        self._fd = fd

    def read(self, offset: int, size: int) -> bytes:
        data = os.pread(self._fd, size, offset)
        if len(data) != size:
            raise LoaderError(f"The image '{self.name}' changed while it was read.")
        return data


class Content(Source):
    """A file that was unpacked in memory."""

    def __init__(self, data: bytes | bytearray | memoryview, name: str) -> None:
        super().__init__(name, len(data))
        self._data = memoryview(data)

    def read(self, offset: int, size: int) -> bytes:
        return bytes(self._data[offset : offset + size])

    def chunks(self, offset: int, size: int) -> Iterator[bytes | memoryview]:
        yield self._data[offset : offset + size]  # without a copy on the way


@dataclass(frozen=True)
class Kernel:
    """A file that was looked at and found loadable. ``setup_header``: a bzImage's own, from offset 0x1F1 on.

    ``operating_system``: it came as a bzImage or is started by PVH, as Linux is; else it may be anything.
    """

    format: str
    entry: int
    segments: tuple[Segment, ...]
    source: Source
    setup_header: bytes = b""
    operating_system: bool = False


def open_image(path: str | os.PathLike[str]) -> int:
    """A descriptor for reading. Raises LoaderError."""
    name = Path(path).name
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise LoaderError(f"The image '{name}' does not exist.") from None
    except OSError as error:
        raise LoaderError(f"The image '{name}' cannot be read: {error.strerror}.") from None
    except ValueError:
        raise LoaderError("The image has a name that no file can have.") from None


def memory_areas(memory_size: int) -> list[tuple[int, int]]:
    """(address, size) of RAM: below 3 GiB, and what is left above 4 GiB."""
    low = min(memory_size, LOW_MEMORY_END)
    high = memory_size - low
    return [(0, low)] + ([(HIGH_MEMORY_START, high)] if high else [])


def in_memory(address: int, size: int, memory_size: int) -> bool:
    """Whether all of it is RAM."""
    return any(start <= address and address + size <= start + length for start, length in memory_areas(memory_size))


def _article(noun: str) -> str:
    return "an" if noun[0] in "aeiou" else "a"
