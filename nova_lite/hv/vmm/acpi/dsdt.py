"""The DSDT: what of the machine cannot be found out by asking the hardware.

COM1, the clock, the PCI host bridge with its slots, the power button behind an event device, pvpanic, the processors,
and S5. In hardware-reduced ACPI every ISA interrupt that is used must stand here. The addresses are the native layer's.
"""

from __future__ import annotations

from nova_lite.hv.vmm.acpi import aml, hotplug
from nova_lite.hv.vmm.acpi.tables import table

ECAM_ADDRESS, ECAM_SIZE = 0xE0000000, 1 << 20
#: Where BARs may lie; the VMM places them.
PCI_WINDOW_32 = (0xE1000000, 0xFEBFFFFF)
PCI_WINDOW_64 = (0x4000000000, 0x7FFFFFFFFF)

_COM1_PORT, _COM1_GSI = 0x3F8, 4
_RTC_PORT = 0x70
_POWER_BUTTON_GSI = 5
_PVPANIC_PORT = 0x505
_PCI_CONFIG_PORT = 0xCF8
_PRESENT = aml.name("_STA", aml.integer(0xF))
_PRESSED = 0x80
#: PCI Firmware 3.2, 4.6: functions of a host bridge's _DSM; 5 tells whether the boot's configuration may be changed.
_PCI_DSM = "e5c937d0-3553-4d7a-9117-ea4d19c3434d"
_KEEP_BOOT_CONFIGURATION = 5


def build(vcpus: int, pvpanic: bool = False) -> bytes:
    """The whole table."""
    devices = [_com1(), _clock(), _pci_host_bridge(), _ecam_holder(), _power_button(), _events()]
    if pvpanic:
        devices.append(_pvpanic())
    devices += [_processor(index) for index in range(vcpus)]
    s5 = aml.name("\\_S5", aml.package(aml.integer(5), aml.ZERO, aml.ZERO, aml.ZERO))
    return table(b"DSDT", 2, aml.scope("\\_SB", *devices) + s5)


def _com1() -> bytes:
    return aml.device(
        "COM1",
        aml.name("_HID", aml.eisa_id("PNP0501")),
        aml.name("_UID", aml.ZERO),
        aml.name("_CRS", aml.resources(aml.interrupt(_COM1_GSI), aml.io_ports(_COM1_PORT, 8))),
    )


def _clock() -> bytes:
    """Without an interrupt: the clock tells the time and gives no alarms."""
    return aml.device(
        "RTC",
        aml.name("_HID", aml.eisa_id("PNP0B00")),
        aml.name("_CRS", aml.resources(aml.io_ports(_RTC_PORT, 2))),
    )


def _pci_host_bridge() -> bytes:
    known_functions = bytes([1 | 1 << _KEEP_BOOT_CONFIGURATION])
    dsm = aml.method(
        "_DSM",
        4,
        aml.if_(
            aml.equal(aml.ARG0, aml.uuid_buffer(_PCI_DSM)),
            aml.if_(aml.equal(aml.ARG2, aml.ZERO), aml.return_(aml.buffer(known_functions))),
            aml.if_(aml.equal(aml.ARG2, aml.integer(_KEEP_BOOT_CONFIGURATION)), aml.return_(aml.ZERO)),
        ),
        aml.return_(aml.buffer(b"\0")),
    )
    return aml.device(
        "PCI0",
        aml.name("_HID", aml.eisa_id("PNP0A08")),
        aml.name("_CID", aml.eisa_id("PNP0A03")),
        aml.name("_SEG", aml.ZERO),
        aml.name("_BBN", aml.ZERO),
        aml.name("_UID", aml.ZERO),
        aml.name(
            "_CRS",
            aml.resources(
                aml.bus_numbers(0, 0),
                aml.io_ports(_PCI_CONFIG_PORT, 8),
                aml.port_window(0x0D00, 0xFFFF),
                aml.memory_window_32(*PCI_WINDOW_32),
                aml.memory_window_64(*PCI_WINDOW_64),
            ),
        ),
        dsm,
        *hotplug.terms(),
    )


def _ecam_holder() -> bytes:
    """Linux uses ECAM only where firmware has set the addresses aside."""
    return aml.device(
        "ECAM",
        aml.name("_HID", aml.eisa_id("PNP0C02")),
        aml.name("_CRS", aml.resources(aml.memory_32(ECAM_ADDRESS, ECAM_SIZE))),
    )


def _power_button() -> bytes:
    return aml.device("PWRB", aml.name("_HID", aml.eisa_id("PNP0C0C")), _PRESENT)


def _events() -> bytes:
    """The generic event device: one interrupt is the power button, the other a slot of the PCI bus."""
    return aml.device(
        "GED",
        aml.name("_HID", aml.string("ACPI0013")),
        aml.name("_UID", aml.ZERO),
        aml.name("_CRS", aml.resources(aml.interrupt(_POWER_BUTTON_GSI), aml.interrupt(hotplug.GSI))),
        aml.method(
            "_EVT",
            1,
            aml.if_(aml.equal(aml.ARG0, aml.integer(_POWER_BUTTON_GSI)), aml.notify("PWRB", _PRESSED)),
            aml.if_(aml.equal(aml.ARG0, aml.integer(hotplug.GSI)), aml.call(hotplug.SCAN)),
        ),
    )


def _pvpanic() -> bytes:
    return aml.device(
        "PEVT",
        aml.name("_HID", aml.string("QEMU0001")),
        aml.name("_CRS", aml.resources(aml.io_ports(_PVPANIC_PORT, 1))),
        _PRESENT,
    )


def _processor(index: int) -> bytes:
    return aml.device(
        f"C{index:03X}", aml.name("_HID", aml.string("ACPI0007")), aml.name("_UID", aml.integer(index)), _PRESENT
    )
