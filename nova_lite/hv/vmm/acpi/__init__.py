"""The ACPI tables of a machine: hardware-reduced, so that nothing of a PC is imitated that Linux does not need.

They lie in one piece at ``ADDRESS``, the RSDP first, where Linux finds it even if nobody tells. Layouts are those of
the ACPI specification 6.4, chapter 5.2.
"""

from __future__ import annotations

import functools

from nova_lite.hv.vmm.acpi import dsdt, tables, wdat
from nova_lite.hv.vmm.acpi.dsdt import ECAM_ADDRESS, ECAM_SIZE

__all__ = ["ADDRESS", "ECAM_ADDRESS", "ECAM_SIZE", "SIZE", "build"]

#: In the area that e820 reserves below 1 MiB; above it lie SMBIOS and, at the end, the reset vector.
ADDRESS = 0xE0000
SIZE = 0x10000

_ALIGNMENT = 16


@functools.lru_cache(maxsize=16)
def build(
    vcpus: int, pvpanic: bool = False, watchdog: bool = False, apic_ids: tuple[int, ...] | None = None
) -> bytes:
    """All tables for a machine with so many vCPUs, to be put at ``ADDRESS``; less than ``SIZE`` bytes.

    ``apic_ids``: each vCPU's; None: their numbers.
    """
    content = bytearray(tables.RSDP_SIZE + -tables.RSDP_SIZE % _ALIGNMENT)

    def place(table: bytes) -> int:
        address = ADDRESS + len(content)
        content.extend(table + bytes(-len(table) % _ALIGNMENT))
        return address

    dsdt_address = place(dsdt.build(vcpus, pvpanic))
    listed = [
        place(tables.fadt(dsdt_address)),
        place(tables.madt(apic_ids or tuple(range(vcpus)))),
        place(tables.mcfg(ECAM_ADDRESS, buses=1)),
    ]
    if watchdog:
        listed.append(place(wdat.wdat()))
    content[: tables.RSDP_SIZE] = tables.rsdp(place(tables.xsdt(listed)))
    assert len(content) <= SIZE
    return bytes(content)
