"""The ACPI tables: what ACPICA's compiler makes of them, and that they lead from one to the next."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from nova_lite.hv.vmm import acpi
from nova_lite.hv.vmm.acpi import aml, dsdt, tables

needs_iasl = pytest.mark.skipif(shutil.which("iasl") is None, reason="this host has no iasl (package acpica-tools)")


def found_tables(vcpus: int, pvpanic: bool = True, watchdog: bool = True) -> dict[str, bytes]:
    """Every table by its signature, found from the RSDP as a kernel does it."""
    memory = acpi.build(vcpus, pvpanic, watchdog)

    def at(address: int) -> bytes:
        start = address - acpi.ADDRESS
        (size,) = struct.unpack_from("<I", memory, start + 4)
        return memory[start : start + size]

    assert memory[:8] == b"RSD PTR " and memory[15] == 2
    assert sum(memory[:20]) % 256 == 0 and sum(memory[:36]) % 256 == 0
    xsdt = at(struct.unpack_from("<Q", memory, 24)[0])
    listed = [at(address) for (address,) in struct.iter_unpack("<Q", xsdt[36:])]
    found = {table[:4].decode(): table for table in (xsdt, *listed)}
    found["DSDT"] = at(struct.unpack_from("<Q", found["FACP"], 140)[0])
    return found


@pytest.mark.parametrize("vcpus", [1, 2, 254])
def test_every_table_is_found_and_sums_up_to_zero(vcpus):
    found = found_tables(vcpus)
    assert set(found) == {"XSDT", "FACP", "APIC", "MCFG", "WDAT", "DSDT"}
    for table in found.values():
        assert sum(table) % 256 == 0
    assert len(acpi.build(vcpus, True, True)) <= acpi.SIZE


def test_processors_have_the_apic_ids_that_their_topology_gives_them():
    memory = acpi.build(3, apic_ids=(0, 1, 4))
    madt = memory[memory.index(b"APIC") :]
    assert [madt[44 + 8 * n : 52 + 8 * n] for n in range(3)] == [
        struct.pack("<BBBBI", 0, 8, number, apic_id, 1) for number, apic_id in enumerate((0, 1, 4))
    ]


def test_only_a_machine_with_a_watchdog_tells_of_one():
    assert "WDAT" not in found_tables(1, watchdog=False)


@needs_iasl
@pytest.mark.parametrize("vcpus", [1, 254])
def test_acpica_disassembles_every_table_and_compiles_it_to_the_same_bytes(tmp_path, vcpus):
    for signature, table in found_tables(vcpus).items():
        path = tmp_path / f"{signature}.aml"
        path.write_bytes(table)
        _iasl(tmp_path, "-d", path.name)
        said = _iasl(tmp_path, "-oa", "-p", "again", f"{signature}.dsl")
        assert "0 Errors, 0 Warnings" in said
        again = (tmp_path / "again.aml").read_bytes()
        assert again[36:] == table[36:], signature


@needs_iasl
def test_the_dsdt_tells_of_the_devices_that_there_are(tmp_path):
    (tmp_path / "DSDT.aml").write_bytes(dsdt.build(2, pvpanic=True))
    _iasl(tmp_path, "-d", "DSDT.aml")
    text = (tmp_path / "DSDT.dsl").read_text()
    devices = [line.split("(")[1].rstrip(")\n") for line in text.splitlines() if "Device (" in line]
    slots = [f"S{number:03d}" for number in range(1, 32)]
    assert devices == ["COM1", "RTC", "PCI0", *slots, "ECAM", "PWRB", "GED", "PEVT", "C000", "C001"]
    assert 'ToUUID ("e5c937d0-3553-4d7a-9117-ea4d19c3434d")' in text
    assert "PEVT" not in dsdt.build(2).decode("latin-1")


def test_the_madt_has_a_local_apic_for_each_vcpu():
    body = tables.madt((0, 1, 2))[44:]
    assert [body[8 * i : 8 * i + 8] for i in range(3)] == [bytes([0, 8, i, i, 1, 0, 0, 0]) for i in range(3)]


def test_package_lengths_grow_with_what_they_count():
    for size in (1, 50, 62, 63, 64, 4000, 4092, 4093, 4094, 5000, 1 << 20):
        scope = aml.scope("\\_SB", bytes(size - 1))
        first = scope[1]
        extra = first >> 6
        length = first & 0x3F
        if extra:
            length = first & 0xF | int.from_bytes(scope[2 : 2 + extra], "little") << 4
        assert length == len(scope) - 1


def test_names_numbers_and_identifiers_are_encoded_as_the_specification_says():
    assert aml.name_string("\\_S5") == b"\\_S5_"
    assert aml.name_string("_SB.PCI0") == b"\x2e_SB_PCI0"
    assert aml.name_string("A.B.C") == b"\x2f\x03A___B___C___"
    assert aml.eisa_id("PNP0501") == b"\x0c\x41\xd0\x05\x01"
    values = (0, 1, 2, 0x100, 0x10000, 1 << 32)
    assert [len(aml.integer(value)) for value in values] == [1, 1, 2, 3, 5, 9]
    for wrong in ("", "ABCDE", "\\"):
        with pytest.raises(ValueError):
            aml.name_string(wrong)
    with pytest.raises(ValueError):
        aml.integer(1 << 64)


def _iasl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["iasl", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
