"""Puts a kernel into a machine's memory and points vCPU 0 at it.

Linux kernels as distributions ship them (bzImage) or unpacked (a static ELF file for x86-64), with an initramfs and a
command line; other static ELF files that take Linux's boot_params; and a flat 16-bit binary, in real mode at 0x10000.
Everything else is refused by its name. A flat binary bears no mark: it is a file that may be one (at most 64 KiB, of no
format known here, not text) or one that is announced as such.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from nova_lite.hv.vmm import bzimage, elf, linux_boot
from nova_lite.hv.vmm.kernel_file import (
    BZIMAGE,
    ELF64,
    FLAT16,
    FORMATS,
    PVH,
    Content,
    File,
    GuestMemory,
    Kernel,
    LoaderError,
    Segment,
    Source,
    open_image,
)
from nova_lite.hv.vmm.unpack import unpack

__all__ = ["BZIMAGE", "FORMATS", "GuestMemory", "LoaderError", "check", "inspect", "load"]

FLAT16_ADDRESS = 0x10000
#: One real-mode segment.
FLAT16_MAX_SIZE = 64 * 1024
#: More than any distribution's kernel has, unpacked.
UNPACKED_MAX_SIZE = 256 << 20

#: (offset, magic, name): what people try to boot and what it is.
_KNOWN: Sequence[tuple[int, bytes, str]] = (
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


def load(
    machine: GuestMemory,
    path: str | os.PathLike[str],
    cmdline: str = "",
    format: str | None = None,
    fd: int | None = None,
    initramfs: str | os.PathLike[str] | None = None,
    unpacked: bool = False,
) -> Kernel:
    """Load the kernel and set vCPU 0 up for it; returns what it was found to be.

    ``format`` says how the kernel is to be started; None recognises it. A bzImage may be announced as elf64 or pvh: the
    kernel inside of it is unpacked here and started without its decompressor; ``unpacked`` asks for that where the
    format does not say (a host without hardware virtualization runs the decompressor for minutes).
    ``fd``: an open file to read instead of ``path``, which then only gives the name for messages.
    Nothing is loaded unless everything was found sound. Raises LoaderError.
    """
    with contextlib.ExitStack() as opened:
        source = _kernel_file(opened, path) if fd is None else File(fd, Path(path).name)
        kernel = _inspect(source, machine.memory_size, format, unpacked)
        line = linux_boot.encode_cmdline(cmdline, kernel)
        if initramfs is None:
            archive, place = None, None
        else:
            archive, place = _initramfs(opened, initramfs, kernel, machine.memory_size)
        for segment in kernel.segments:
            _copy(machine, kernel.source, segment)
        if archive is not None and place is not None:
            _copy(machine, archive, Segment(0, place.address, place.size, place.size))
        if kernel.format == FLAT16:
            machine.set_real_mode(kernel.entry)
        elif kernel.format == PVH:
            linux_boot.write_start_info(machine, line, place)
            machine.set_pvh(kernel.entry, linux_boot.PVH_START_INFO_ADDRESS)
        else:
            linux_boot.write_boot_params(machine, kernel, line, place)
            machine.set_long_mode(kernel.entry, rsi=linux_boot.BOOT_PARAMS_ADDRESS)
        return kernel


def check(
    path: str | os.PathLike[str],
    memory_size: int,
    format: str | None = None,
    initramfs: str | os.PathLike[str] | None = None,
    cmdline: str = "",
) -> str:
    """Say without a machine whether ``load`` would take these files; returns the format, raises LoaderError."""
    with contextlib.ExitStack() as opened:
        kernel = _inspect(_kernel_file(opened, path), memory_size, format, False)
        linux_boot.encode_cmdline(cmdline, kernel)
        if initramfs is not None:
            _initramfs(opened, initramfs, kernel, memory_size)
        return kernel.format


def inspect(fd: int, name: str, memory_size: int, format: str | None = None) -> Kernel:
    """Check every claim of the file against its size and the memory; raises LoaderError."""
    return _inspect(File(fd, name), memory_size, format, False)


def _inspect(source: Source, memory_size: int, format: str | None, unpacked: bool) -> Kernel:
    name = source.name
    if format is not None and format not in FORMATS:
        raise LoaderError(f"The kernel format {format!r} is not known; use one of {', '.join(FORMATS)}.")
    head = source.read(0, min(source.size, _HEAD_SIZE))
    if format == FLAT16 and not head.startswith(elf.MAGIC):
        return _inspect_flat16(source, memory_size)
    if head.startswith(elf.MAGIC):
        if format in (FLAT16, BZIMAGE):
            raise LoaderError(f"The image '{name}' is announced as {format} but is an ELF file.")
        return elf.inspect(source, memory_size, format == PVH)
    if bzimage.recognise(head):
        if format in (ELF64, PVH) or (format is None and unpacked):
            inner = unpack(bzimage.packed_kernel(source), UNPACKED_MAX_SIZE, name)
            return replace(_inspect_inner(Content(inner, name), memory_size, format == PVH), operating_system=True)
        return bzimage.inspect(source, memory_size)
    known = _recognise(head)
    if known is None and format is not None:
        known = "no Linux bzImage" if format == BZIMAGE else "no ELF file"
    if known is None and source.size <= FLAT16_MAX_SIZE and not _is_text(source):
        return _inspect_flat16(source, memory_size)
    raise LoaderError(
        f"The image '{name}' is {known or 'of no format known here'}; "
        f"only Linux kernels (bzImage), static 64-bit ELF kernels and flat 16-bit binaries can be booted."
    )


def _inspect_inner(source: Source, memory_size: int, pvh: bool) -> Kernel:
    if source.read(0, min(4, source.size)) != elf.MAGIC:
        raise LoaderError(f"The kernel inside of the image '{source.name}' is no ELF file.")
    return elf.inspect(source, memory_size, pvh)


def _inspect_flat16(source: Source, memory_size: int) -> Kernel:
    name, size = source.name, source.size
    if size > FLAT16_MAX_SIZE:
        raise LoaderError(
            f"The image '{name}' has {size} bytes; a flat 16-bit binary has at most {FLAT16_MAX_SIZE}, one segment."
        )
    if FLAT16_ADDRESS + size > memory_size:
        raise LoaderError(
            f"The image '{name}' needs memory up to {FLAT16_ADDRESS + size:#x}, the server has {memory_size} bytes."
        )
    return Kernel(FLAT16, FLAT16_ADDRESS, (Segment(0, FLAT16_ADDRESS, size, size),), source)


def _kernel_file(opened: contextlib.ExitStack, path: str | os.PathLike[str]) -> Source:
    fd = open_image(path)
    opened.callback(os.close, fd)
    return File(fd, Path(path).name)


def _initramfs(
    opened: contextlib.ExitStack, path: str | os.PathLike[str], kernel: Kernel, memory_size: int
) -> tuple[Source, linux_boot.Initramfs]:
    if kernel.format == FLAT16:
        raise LoaderError("A flat 16-bit binary takes no initramfs.")
    fd = open_image(path)
    opened.callback(os.close, fd)
    source = File(fd, Path(path).name, "initramfs")
    return source, linux_boot.place_initramfs(kernel, source, memory_size)


def _recognise(head: bytes) -> str | None:
    for offset, magic, description in _KNOWN:
        if head[offset : offset + len(magic)] == magic:
            return description
    return None


def _is_text(source: Source) -> bool:
    """No program is without a byte that no text has; a page of HTML from a failed download is."""
    try:
        content = source.read(0, source.size).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\f" for character in content)


def _copy(machine: GuestMemory, source: Source, segment: Segment) -> None:
    """The machine's memory is fresh, so what follows the file's bytes is zero already."""
    address = segment.address
    for chunk in source.chunks(segment.offset, segment.file_size):
        machine.write_memory(address, chunk)
        address += len(chunk)
