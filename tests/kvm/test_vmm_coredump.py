"""vm.coredump: what is in the file, who may open it, and what is refused."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from tests.kvm.native_guests import assemble
from tests.kvm.vmm_process import INTERACTIVE, MIB, Vmm, config, needs_kvm
from tests.unit.test_loader import elf, segment

pytestmark = needs_kvm


@pytest.fixture
def vmm(tmp_path):
    with Vmm(tmp_path / "vmm.sock") as vmm:
        vmm.put("vm.create", config(INTERACTIVE, cpus={"boot_vcpus": 2}, memory={"size": 64 * MIB}))
        vmm.put("vm.boot")
        yield vmm


def dump(vmm: Vmm, path) -> None:
    vmm.put("vm.coredump", {"destination_url": f"file://{path}"})


def test_a_paused_machine_is_dumped_with_its_memory_and_registers(vmm, tmp_path):
    core = tmp_path / "core"
    vmm.put("vm.pause")
    dump(vmm, core)
    data = core.read_bytes()
    assert core.stat().st_mode & 0o777 == 0o600
    assert core.stat().st_blocks * 512 < 8 * MIB, "memory that was never touched takes no room"
    kind, machine = struct.unpack_from("<HH", data, 16)
    assert (data[:4], kind, machine) == (b"\x7fELF", 4, 62)
    headers = [struct.unpack_from("<IIQQQQQQ", data, 64 + 56 * index) for index in range(2)]
    (_, _, notes, _, _, length, _, _), (load, _, offset, _, address, size, _, _) = headers
    assert data[notes : notes + length].count(b"CORE\0") == data[notes : notes + length].count(b"QEMU\0") == 2
    assert (load, address, size, offset + size) == (1, 0, 64 * MIB, len(data))
    assert data[offset + 0x7202 : offset + 0x7208] == b"HdrS\x0f\x02", "boot_params, as loaded"
    vmm.put("vm.resume")


@pytest.mark.skipif(shutil.which("gdb") is None, reason="this host has no gdb")
def test_gdb_opens_the_dump(vmm, tmp_path):
    core = tmp_path / "core"
    vmm.put("vm.pause")
    dump(vmm, core)
    said = _gdb(core, "info threads", "info registers rip", "x/s 0x7202")
    (rip,) = re.findall(r"rip\s+0x([0-9a-f]+)", said)
    assert 0x100000 <= int(rip, 16) < 64 * MIB
    assert "HdrS" in said, "guest memory by physical address"
    assert len(re.findall(r"(?:Thread|LWP) ", said)) >= 2, "a thread for each vCPU"


@pytest.mark.skipif(shutil.which("gdb") is None, reason="this host has no gdb")
def test_gdb_opens_the_dump_of_a_crashed_machine(tmp_path):
    """An instruction that is none, at a known place, with a known value in a register."""
    code = assemble("mov $0x1122334455667788, %rbx; cli; ud2", bits=64, address=0x100000)
    kernel, core = tmp_path / "kernel", tmp_path / "core"
    kernel.write_bytes(elf(segment(file_size=len(code))).ljust(0x100, b"\0")[:0x100] + code)
    with Vmm(tmp_path / "vmm.sock") as vmm:
        events = vmm.events()
        vmm.put("vm.create", config(kernel))
        vmm.put("vm.boot")
        events.until("crashed")
        dump(vmm, core)
        assert vmm.state() == "Crashed"
    said = _gdb(core, "info registers rip rbx", "x/2xb 0x10000b")
    assert "0x0f\t0x0b" in said, "memory as it was: the instruction"
    (rip,) = re.findall(r"rip\s+0x([0-9a-f]+)", said)
    # AMD's processors forget after a triple fault where they were; others, and kvm-pvm, tell.
    assert int(rip, 16) in (0x10000B, 0xFFF0)
    if int(rip, 16) == 0x10000B:
        assert "0x1122334455667788" in said


def _gdb(core: Path, *questions: str) -> str:
    words = (word for question in (f"core-file {core}", *questions) for word in ("-ex", question))
    return subprocess.run(["gdb", "-batch", "-nx", *words], capture_output=True, text=True, check=True).stdout


def test_only_a_paused_machine_can_be_dumped_and_no_file_is_written_over(vmm, tmp_path):
    core = tmp_path / "core"
    refused = vmm.refusal("PUT", "vm.coredump", {"destination_url": f"file://{core}"})
    assert refused.status == 405 and not core.exists()
    vmm.put("vm.pause")
    core.write_text("mine")
    refused = vmm.refusal("PUT", "vm.coredump", {"destination_url": f"file://{core}"})
    assert "File exists" in str(refused) and core.read_text() == "mine"
    refused = vmm.refusal("PUT", "vm.coredump", {"destination_url": f"file://{tmp_path}/none/core"})
    assert "No such file" in str(refused)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({}, "destination_url"),
        ({"destination_url": "http://x/"}, "destination_url"),
        ({"destination_url": "file://relative"}, "is not an absolute path"),
        ({"destination_url": "file:///x", "more": 1}, "more"),
        ([], "body"),
    ],
)
def test_impossible_destinations_are_refused(vmm, body, sentence):
    refused = vmm.refusal("PUT", "vm.coredump", body)
    assert refused.status == 400 and sentence in str(refused)
