"""Writes a paused machine into an ELF core file, as QEMU's dump-guest-memory does: gdb and crash open it.

Two notes for each vCPU: NT_PRSTATUS for gdb, and QEMU's own with the control registers, from which crash learns where
the kernel lies. Addresses are physical ones. Memory that the guest never touched is a hole in the file.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from nova_lite.hv.native.machine import Machine
from nova_lite.hv.native.registers import Registers
from nova_lite.hv.vmm.kernel_file import memory_areas

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_NOTE = struct.Struct("<III")
_ET_CORE, _EM_X86_64, _PT_LOAD, _PT_NOTE, _NT_PRSTATUS = 4, 62, 1, 4, 1
_PAGE = 4096
#: QEMU, target/i386/arch_dump.c: QEMUCPUState, version 1.
_QEMU_SEGMENT = struct.Struct("<IIIIQ")
_QEMU_SIZE = 8 + 18 * 8 + 10 * _QEMU_SEGMENT.size + 5 * 8 + 8
#: struct elf_prstatus: the process id, the registers in the order of struct user_regs_struct.
_PRSTATUS = struct.Struct("<32xi76x27Q8x")


def write(machine: Machine, path: Path) -> None:
    """Dump the machine, which must be paused, into a new file that only its owner can read.

    :raises OSError: the file exists, or cannot be written; then there is none.
    :raises MachineError: the registers cannot be read.
    """
    notes = b"".join(_notes(number, machine.registers(number)) for number in range(machine.vcpus))
    areas = memory_areas(machine.memory_size)
    first = _HEADER.size + (1 + len(areas)) * _SEGMENT.size
    start = -(-(first + len(notes)) // _PAGE) * _PAGE
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head = _HEADER.pack(
        ident, _ET_CORE, _EM_X86_64, 1, 0, _HEADER.size, 0, 0, _HEADER.size, _SEGMENT.size, 1 + len(areas), 0, 0, 0
    )
    head += _SEGMENT.pack(_PT_NOTE, 0, first, 0, 0, len(notes), len(notes), 4)
    offset = start
    for address, size in areas:
        head += _SEGMENT.pack(_PT_LOAD, 7, offset, address, address, size, size, _PAGE)
        offset += size
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.truncate(file, offset)
        os.write(file, head + notes)
        machine.dump_memory(file, start)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(file)


def _notes(number: int, r: Registers) -> bytes:
    rax, rbx, rcx, rdx, rsi, rdi, rsp, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rip, flags = r.general
    cs, ds, es, fs, gs, ss = r.segments[:6]
    status = _PRSTATUS.pack(
        number + 1, r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi, rax, rip,
        cs.selector, flags, rsp, ss.selector, fs.base, gs.base, ds.selector, es.selector, fs.selector, gs.selector,
    )  # fmt: skip
    state = struct.pack("<II18Q", 1, _QEMU_SIZE, *r.general)
    state += b"".join(_QEMU_SEGMENT.pack(s.selector, s.limit, s.attributes, 0, s.base) for s in r.segments)
    state += struct.pack("<6Q", *r.control, r.kernel_gs_base)
    return _note(b"CORE", _NT_PRSTATUS, status) + _note(b"QEMU", 0, state)


def _note(name: bytes, kind: int, content: bytes) -> bytes:
    name += b"\0"
    padded = content + bytes(-len(content) % 4)
    return _NOTE.pack(len(name), len(content), kind) + name + bytes(-len(name) % 4) + padded
