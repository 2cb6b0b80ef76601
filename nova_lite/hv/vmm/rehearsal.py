"""A boot rehearsed in the zygote, on a machine of nothing, so that no VMM pays for what the first run of code costs.

CPython 3.11 rewrites the code it runs (PEP 659) and fills caches beside it. Done once before the forks, the pages stay
shared; done in a VMM, each page is a copy in every one of them (0.5 MiB of 4.2, measured with bench/vmm_memory.py).
"""

from __future__ import annotations

import orjson

from nova_lite.hv import host
from nova_lite.hv.guests import INTERACTIVE
from nova_lite.hv.vmm import acpi, config, loader

#: CPython adapts code at its eighth run; a few more let the adapted forms settle.
RUNS = 12
#: ACPI tables depend on the number of vCPUs only; those of common machines are ready before the fork.
COMMON_VCPUS = (1, 2, 4)
_CONFIG = {
    "cpus": {"boot_vcpus": 1, "max_vcpus": 1},
    "memory": {"size": 16 << 20},
    "payload": {"kernel": str(INTERACTIVE), "cmdline": "", "format": loader.ELF64},
    "pvpanic": True,
    "serial": {"mode": "Socket", "socket": "/nowhere"},
    "console_log": {"file": "/nowhere", "size": 131072},
    "platform": {"uuid": "00000000-0000-0000-0000-000000000000"},
}


class _Nothing:
    """What the loader sees of a machine; takes everything and keeps nothing."""

    memory_size = 16 << 20
    vcpus = 1
    pvpanic = True
    watchdog = False
    apic_ids: tuple[int, ...] | None = None

    def write_memory(self, gpa: int, data: bytes | memoryview) -> None:
        """Nowhere."""

    def set_real_mode(self, address: int) -> None:
        """No vCPU."""

    def set_long_mode(self, entry: int, rsi: int = 0) -> None:
        """No vCPU."""

    def set_pvh(self, entry: int, start_info: int) -> None:
        """No vCPU."""


def run() -> None:
    """Parse a configuration and load the shipped guest, as every boot does, without a VM."""
    for vcpus in COMMON_VCPUS:
        acpi.build(vcpus, True, False, None)  # the very call of linux_boot, for the cache
    kind = host.kvm_kind()
    for _ in range(RUNS):
        wanted = config.parse(orjson.loads(orjson.dumps(_CONFIG)))
        machine = _Nothing()
        loader.load(machine, wanted.kernel, wanted.cmdline, wanted.kernel_format, unpacked=kind == "kvm-pvm")
