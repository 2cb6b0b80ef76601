"""Builds the guest of disk_guest.c, which counts its boots on its first disk."""

from __future__ import annotations

import subprocess
from pathlib import Path

from nova_lite.hv.guests import FOLDER

FLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O1", "-ffreestanding", "-fno-pic", "-no-pie", "-mno-red-zone"]
FLAGS += ["-mgeneral-regs-only", "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables"]
FLAGS += ["-nostdlib", "-static", f"-Wl,-T,{FOLDER / 'elf.ld'}", "-Wl,-z,noexecstack", "-Wl,--build-id=none"]


def build(target: Path, read_mib: int = 0, write_mib: int = 0, passes: int = 1) -> Path:
    """An ELF file at ``target``; it reads the first ``read_mib`` MiB of the disk before it counts, and then writes
    ``write_mib`` MiB from 2 MiB on, ``passes`` times."""
    source = Path(__file__).with_name("disk_guest.c")
    sizes = [f"-DREAD_MIB={read_mib}", f"-DWRITE_MIB={write_mib}", f"-DWRITE_PASSES={passes}ul"]
    subprocess.run(["gcc", *FLAGS, *sizes, "-o", target, source], check=True)
    return target
