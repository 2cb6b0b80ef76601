"""Whether a guest whose console tells of a panic stands still indeed. Imported by the VMMs that need it only.

The words alone prove nothing: whoever may write to the guest's console can print them. But a Linux that has panicked
never idles again and runs no program: one processor turns in the kernel, the others halt with interrupts off.
"""

from __future__ import annotations

from nova_lite.hv.native.machine import Event, Machine
from nova_lite.hv.native.registers import Registers

#: Looks at the processors in a row that must all find them so, and seconds between two.
LOOKS, INTERVAL = 5, 0.4

_INTERRUPTS_ON = 1 << 9


class Suspect:
    """A guest under suspicion, from the words on its console on."""

    def __init__(self, machine: Machine, event: Event) -> None:
        self.event = event
        self._machine, self._looks, self._said = machine, 0, machine.counters()["serial"]["console_bytes"]

    def look(self) -> bool | None:
        """At a paused machine: True, it has panicked; False, it lives; None, look again after INTERVAL."""
        processors = [self._machine.registers(number) for number in range(self._machine.vcpus)]
        said = self._machine.counters()["serial"]["console_bytes"]
        if said != self._said or not all(map(stands_still, processors)):
            return False
        self._looks += 1
        return True if self._looks >= LOOKS else None


def stands_still(processor: Registers) -> bool:
    """In the kernel; and if halted, then for good."""
    in_kernel = processor.segments[0].selector & 3 == 0
    return in_kernel and not (processor.halted and processor.general[17] & _INTERRUPTS_ON)
