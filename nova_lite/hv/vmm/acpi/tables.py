"""ACPI's fixed tables: RSDP, XSDT, FADT, MADT and MCFG (ACPI 6.4, chapter 5.2; PCI Firmware 3.2, chapter 4)."""

from __future__ import annotations

import struct

RSDP_SIZE = 36
_OEM_ID, _OEM_TABLE_ID, _CREATOR = b"NOVALT", b"NOVALITE", b"NVLT"
_HEADER = struct.Struct("<4sIBB6s8sI4sI")

POWER_PORT = 0x600
#: What hv/native/power.c takes for a reset.
RESET_VALUE = 1
LOCAL_APIC_ADDRESS = 0xFEE00000
IO_APIC_ADDRESS = 0xFEC00000

_FADT_SIZE = 276
_WBINVD, _RESET_REGISTER, _HEADLESS, _HW_REDUCED = 1 << 0, 1 << 10, 1 << 12, 1 << 20
#: Boot architecture flags: no VGA; the keyboard controller's and legacy devices' bits are not set.
_NO_VGA = 1 << 2
_SYSTEM_IO = 1


def table(signature: bytes, revision: int, body: bytes) -> bytes:
    """A table with its header and its checksum, which makes all bytes sum up to zero."""
    size = _HEADER.size + len(body)
    header = _HEADER.pack(signature, size, revision, 0, _OEM_ID, _OEM_TABLE_ID, 1, _CREATOR, 1)
    whole = bytearray(header + body)
    whole[9] = _checksum(whole)
    return bytes(whole)


def rsdp(xsdt_address: int) -> bytes:
    """The root pointer, revision 2, with its two checksums."""
    whole = bytearray(struct.pack("<8sB6sBIIQB3x", b"RSD PTR ", 0, _OEM_ID, 2, 0, RSDP_SIZE, xsdt_address, 0))
    whole[8] = _checksum(whole[:20])
    whole[32] = _checksum(whole)
    return bytes(whole)


def xsdt(addresses: list[int]) -> bytes:
    """The list of the other tables."""
    return table(b"XSDT", 1, struct.pack(f"<{len(addresses)}Q", *addresses))


def fadt(dsdt_address: int) -> bytes:
    """The fixed table: hardware-reduced, with the power port as reset, sleep control and sleep status register."""
    whole = bytearray(_FADT_SIZE)
    struct.pack_into("<H", whole, 109, _NO_VGA)
    struct.pack_into("<I", whole, 112, _WBINVD | _RESET_REGISTER | _HEADLESS | _HW_REDUCED)
    register = struct.pack("<BBBBQ", _SYSTEM_IO, 8, 0, 1, POWER_PORT)
    whole[116:128] = register
    whole[128] = RESET_VALUE
    whole[131] = 5  # minor version
    struct.pack_into("<Q", whole, 140, dsdt_address)
    whole[244:256] = register  # sleep control
    whole[256:268] = register  # sleep status
    return table(b"FACP", 6, bytes(whole[_HEADER.size :]))


def madt(apic_ids: tuple[int, ...]) -> bytes:
    """The interrupt controllers: a local APIC for each vCPU, and one I/O APIC from GSI 0 on."""
    body = struct.pack("<II", LOCAL_APIC_ADDRESS, 0)
    body += b"".join(struct.pack("<BBBBI", 0, 8, index, apic_id, 1) for index, apic_id in enumerate(apic_ids))
    body += struct.pack("<BBBxII", 1, 12, 0, IO_APIC_ADDRESS, 0)
    body += struct.pack("<BBBHB", 4, 6, 0xFF, 0, 1)  # NMI at LINT1 of all
    return table(b"APIC", 5, body)


def mcfg(ecam_address: int, buses: int) -> bytes:
    """Where PCI configuration space is mapped into memory."""
    return table(b"MCFG", 1, struct.pack("<8xQHBB4x", ecam_address, 0, 0, buses - 1))


def _checksum(data: bytes | bytearray) -> int:
    return -sum(data) & 0xFF
