"""The guests that come with nova_lite: assembly sources here, built by setup.py.

``counting.bin`` (16-bit, flat, loaded at 0x10000) writes 0, 1, 2 ... to port 0x10 for ever.
``interactive.elf`` (64-bit ELF) talks on COM1: a banner with what it found, then a prompt.
``nothing_bootable.elf`` (64-bit ELF) writes its command line to COM1 and rests: for disks that boot nothing.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).resolve().parent
COUNTING = FOLDER / "counting.bin"
INTERACTIVE = FOLDER / "interactive.elf"
NOTHING_BOOTABLE = FOLDER / "nothing_bootable.elf"
