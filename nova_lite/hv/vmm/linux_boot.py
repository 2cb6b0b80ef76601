"""What a Linux kernel is told when it starts: map of memory, command line, initramfs and ACPI tables.

In boot_params for the 64-bit entry (Linux, Documentation/arch/x86/boot.rst and zero-page.rst), in hvm_start_info for
the PVH entry (Xen, docs/misc/pvh.pandoc).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nova_lite.hv.vmm import acpi
from nova_lite.hv.vmm.bzimage import HEADER_START
from nova_lite.hv.vmm.kernel_file import (
    KERNEL_MIN_ADDRESS,
    LOW_MEMORY_END,
    GuestMemory,
    Kernel,
    LoaderError,
    Source,
    memory_areas,
)

PVH_START_INFO_ADDRESS = 0x6000
BOOT_PARAMS_ADDRESS = 0x7000
CMDLINE_ADDRESS = 0x20000
CMDLINE_MAX_SIZE = 2047
LOW_RESERVED = 0x9FC00
#: Linux's initrd_addr_max; a kernel started at an ELF's entry does not tell its own.
INITRAMFS_END = 1 << 31

#: Where a processor starts after power-on, as real mode sees it. Linux jumps there to reboot a machine of
#: hardware-reduced ACPI: it takes such a machine for one with EFI and tries nothing else (reboot_init in
#: arch/x86/kernel/reboot.c). In place of firmware: mov al, 0xfe; out 0x64, al; hlt; jmp back to hlt.
RESET_VECTOR_ADDRESS = 0xFFFF0
RESET_VECTOR = bytes.fromhex("b0fe e664 f4 ebfd")

_PAGE = 4096
_E820 = struct.Struct("<QQI")
_E820_RAM, _E820_RESERVED = 1, 2
_START_INFO = struct.Struct("<IIIIQQQQII")
_START_INFO_MAGIC = 0x336EC578
_MODULE = struct.Struct("<QQQQ")
_MEMORY_AREA = struct.Struct("<QQII")


@dataclass(frozen=True)
class Initramfs:
    """Where the initramfs goes."""

    address: int
    size: int


def encode_cmdline(cmdline: str, kernel: Kernel | None = None) -> bytes:
    """The command line in bytes, checked against what the kernel and we have room for; raises LoaderError."""
    line = cmdline.encode("utf-8", "surrogateescape")
    room = CMDLINE_MAX_SIZE
    if kernel is not None and kernel.setup_header:
        room = min(room, struct.unpack_from("<I", kernel.setup_header, 0x238 - HEADER_START)[0])
    if len(line) > room:
        raise LoaderError(f"The kernel command line has {len(line)} bytes; {room} are possible.")
    if b"\0" in line:
        raise LoaderError("The kernel command line contains a NUL character.")
    return line


def place_initramfs(kernel: Kernel, source: Source, memory_size: int) -> Initramfs:
    """As high below 2 GiB as there is memory, in whole pages, above the kernel; raises LoaderError."""
    end = min(memory_size, LOW_MEMORY_END, INITRAMFS_END)
    if kernel.setup_header:
        end = min(end, struct.unpack_from("<I", kernel.setup_header, 0x22C - HEADER_START)[0] + 1)
    address = (end - source.size) // _PAGE * _PAGE
    kernel_end = max((s.end for s in kernel.segments if s.address < LOW_MEMORY_END), default=KERNEL_MIN_ADDRESS)
    if address < kernel_end:
        raise LoaderError(
            f"The initramfs '{source.name}' of {source.size} bytes does not fit beside the kernel "
            f"into the server's {memory_size >> 20} MiB of memory."
        )
    return Initramfs(address, source.size)


def memory_map(memory_size: int) -> list[tuple[int, int, int]]:
    """(address, size, type) as e820 has them: RAM, and what must not be taken for free room."""
    (_, low), *high = memory_areas(memory_size)
    areas = [
        (0, LOW_RESERVED, _E820_RAM),
        (LOW_RESERVED, KERNEL_MIN_ADDRESS - LOW_RESERVED, _E820_RESERVED),
        (KERNEL_MIN_ADDRESS, low - KERNEL_MIN_ADDRESS, _E820_RAM),
        (acpi.ECAM_ADDRESS, acpi.ECAM_SIZE, _E820_RESERVED),
    ]
    return areas + [(start, size, _E820_RAM) for start, size in high]


def write_boot_params(machine: GuestMemory, kernel: Kernel, line: bytes, initramfs: Initramfs | None) -> None:
    """Linux's zero page and what it points to."""
    page = bytearray(4096)
    if kernel.setup_header:
        page[HEADER_START : HEADER_START + len(kernel.setup_header)] = kernel.setup_header
        struct.pack_into("<I", page, 0x214, kernel.segments[0].address)  # code32_start
    else:
        struct.pack_into("<H", page, 0x1FE, 0xAA55)
        struct.pack_into("<4sH", page, 0x202, b"HdrS", 0x020F)
        struct.pack_into("<I", page, 0x238, CMDLINE_MAX_SIZE)
    page[0x210] = 0xFF  # type_of_loader: none that has a number
    page[0x211] |= 0x01  # loadflags: LOADED_HIGH
    struct.pack_into("<Q", page, 0x070, acpi.ADDRESS)  # acpi_rsdp_addr
    struct.pack_into("<I", page, 0x228, CMDLINE_ADDRESS)
    struct.pack_into("<Q", page, 0x250, 0)  # setup_data: none
    if initramfs is not None:
        struct.pack_into("<II", page, 0x218, initramfs.address, initramfs.size)
    areas = memory_map(machine.memory_size)
    page[0x1E8] = len(areas)
    for index, area in enumerate(areas):
        _E820.pack_into(page, 0x2D0 + index * _E820.size, *area)
    machine.write_memory(BOOT_PARAMS_ADDRESS, bytes(page))
    _write_common(machine, line)


def write_start_info(machine: GuestMemory, line: bytes, initramfs: Initramfs | None) -> None:
    """Xen's hvm_start_info, version 1, and what it points to."""
    modules = b"" if initramfs is None else _MODULE.pack(initramfs.address, initramfs.size, 0, 0)
    areas = b"".join(_MEMORY_AREA.pack(*area, 0) for area in memory_map(machine.memory_size))
    modules_at = PVH_START_INFO_ADDRESS + 64
    areas_at = modules_at + _MODULE.size
    info = _START_INFO.pack(
        _START_INFO_MAGIC,
        1,
        0,
        1 if modules else 0,
        modules_at if modules else 0,
        CMDLINE_ADDRESS,
        acpi.ADDRESS,
        areas_at,
        len(areas) // _MEMORY_AREA.size,
        0,
    )
    machine.write_memory(PVH_START_INFO_ADDRESS, info.ljust(64, b"\0") + modules.ljust(_MODULE.size, b"\0") + areas)
    _write_common(machine, line)


def _write_common(machine: GuestMemory, line: bytes) -> None:
    machine.write_memory(CMDLINE_ADDRESS, line + b"\0")
    tables = acpi.build(machine.vcpus, machine.pvpanic, machine.watchdog, machine.apic_ids)
    machine.write_memory(acpi.ADDRESS, tables)
    machine.write_memory(RESET_VECTOR_ADDRESS, RESET_VECTOR)
