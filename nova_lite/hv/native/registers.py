"""The registers of a vCPU that does not run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Segment:
    """A segment register; ``attributes`` as the upper half of a descriptor has them."""

    selector: int
    limit: int
    attributes: int
    base: int


@dataclass(frozen=True)
class Registers:
    """``general``: rax rbx rcx rdx rsi rdi rsp rbp r8..r15 rip rflags. ``segments``: cs ds es fs gs ss ldt tr gdt idt.

    ``control``: cr0 to cr4. ``halted``: waits for an interrupt, or has not been started.
    """

    general: tuple[int, ...]
    segments: tuple[Segment, ...]
    control: tuple[int, ...]
    kernel_gs_base: int
    halted: bool

    @classmethod
    def of(cls, native: Any) -> Registers:
        """From cffi's ``struct nl_registers``."""
        return cls(
            tuple(native.general),
            tuple(Segment(s.selector, s.limit, s.attributes, s.base) for s in native.segments),
            tuple(native.control),
            native.kernel_gs_base,
            bool(native.halted),
        )
