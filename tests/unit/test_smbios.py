"""SMBIOS as a guest reads it: entry point, structures, strings."""

from __future__ import annotations

import struct
import uuid

from nova_lite.hv.vmm import acpi, smbios

UUID = "6c5d4b3a-1234-4abc-8000-000000000001"


def structures(tables: bytes) -> dict[int, tuple[bytes, list[str]]]:
    """Fields and strings by type, read as Linux' dmi_scan.c does."""
    assert tables[:5] == b"_SM3_"
    length = tables[6]
    assert sum(tables[:length]) & 0xFF == 0
    (size,), (address,) = struct.unpack_from("<I", tables, 12), struct.unpack_from("<Q", tables, 16)
    start = address - smbios.ADDRESS
    assert start + size == len(tables) <= smbios.SIZE
    found, at = {}, start
    while at < len(tables):
        kind, fields = tables[at], tables[at : at + tables[at + 1]]
        end = tables.index(b"\0\0", at + len(fields))
        found[kind] = (fields, tables[at + len(fields) : end].decode().split("\0"))
        at = end + 2
    assert at == len(tables) and kind == 127
    return found


def test_a_guest_reads_who_it_is() -> None:
    given = {"uuid": UUID, "serial_number": "4711"}
    given |= {"system_manufacturer": "OpenStack Foundation", "system_product_name": "Nova"}
    fields, strings = structures(smbios.build(given))[1]
    assert [strings[number - 1] if number else "" for number in fields[4:8]] == [
        *("OpenStack Foundation", "Nova", "", "4711"),
    ]
    assert uuid.UUID(bytes_le=fields[8:24]) == uuid.UUID(UUID)
    assert len(fields) == 0x1B


def test_a_machine_that_nobody_named_has_our_name() -> None:
    found = structures(smbios.build({}))
    fields, strings = found[1]
    assert strings == ["nova-lite", "nova-lite-vmm"] and fields[7] == 0
    assert len(found[0][0]) == 0x18


def test_it_begins_where_acpi_ends() -> None:
    assert acpi.ADDRESS + acpi.SIZE <= smbios.ADDRESS
    assert smbios.ADDRESS + smbios.SIZE <= 0xFFFF0
    assert len(acpi.build(254, pvpanic=True, watchdog=True)) <= acpi.SIZE
