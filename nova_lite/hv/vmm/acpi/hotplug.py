"""What the PCI host bridge's ACPI device says of slots: how the guest learns of a change and lets go of a device.

The registers are those of hv/native/pci/hotplug.c, the methods' names QEMU's and Cloud Hypervisor's. There is no _STA:
whether a slot has a device stands in its configuration space, and Linux looks there.
"""

from __future__ import annotations

from nova_lite.hv.vmm.acpi import aml

#: The event device's second interrupt.
GSI = 6
#: The method that tells the driver of each changed slot.
SCAN = "\\_SB.PCI0.PCNT"

_PORT, _SIZE = 0x640, 12
_SLOTS = range(1, 32)  # 0 is the host bridge and stays
_DEVICE_CHECK, _EJECT_REQUEST = 1, 3


def terms() -> list[bytes]:
    """For the host bridge's Device."""
    registers = aml.io_region("PCST", _PORT, _SIZE) + aml.dword_fields("PCST", "PCIU", "PCID", "B0EJ")
    told = [
        aml.if_(aml.and_(aml.ARG0, aml.integer(1 << slot)), aml.notify_of(_name(slot), aml.ARG1)) for slot in _SLOTS
    ]
    return [
        registers,
        *(_slot(slot) for slot in _SLOTS),
        aml.method("DVNT", 2, *told),
        aml.method(
            "PCNT",
            0,
            aml.call("DVNT", aml.name_string("PCIU"), aml.integer(_DEVICE_CHECK)),
            aml.call("DVNT", aml.name_string("PCID"), aml.integer(_EJECT_REQUEST)),
            serialized=True,
        ),
    ]


def _name(slot: int) -> str:
    return f"S{slot:03d}"


def _slot(slot: int) -> bytes:
    return aml.device(
        _name(slot),
        aml.name("_ADR", aml.integer(slot << 16)),
        aml.name("_SUN", aml.integer(slot)),
        aml.method("_EJ0", 1, aml.store(aml.integer(1 << slot), aml.name_string("B0EJ"))),
    )
