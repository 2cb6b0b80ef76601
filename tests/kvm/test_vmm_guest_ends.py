"""Ends that a guest does not announce: triple faults of an operating system, panics that only the console tells of."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kvm.native_guests import assemble
from tests.kvm.vmm_process import MIB, Vmm, needs_kvm, wait_for
from tests.unit.test_loader import CODE, elf, segment
from tests.unit.test_loader_linux import bzimage, vmlinux

pytestmark = needs_kvm

LAST_LINE = "[    0.5] ---[ end Kernel panic - not syncing: VFS: Unable to mount root fs ]---"
PRINT = f"""
    lea text(%rip), %rsi
    mov $0x3f8, %edx
next: mov (%rsi), %al
    inc %rsi
    test %al, %al
    jz said
    out %al, %dx
    jmp next
text: .asciz "{LAST_LINE}\\n"
said:
"""


@pytest.fixture
def vmm(tmp_path: Path):
    with Vmm(tmp_path / "vmm.sock") as vmm:
        yield vmm


@pytest.fixture
def boot(vmm: Vmm, tmp_path: Path) -> Callable[..., None]:
    def start(kernel: bytes, **payload: str) -> None:
        path = tmp_path / "kernel"
        path.write_bytes(kernel)
        vmm.put("vm.create", {"memory": {"size": 64 * MIB}, "payload": {"kernel": str(path)} | payload})
        vmm.put("vm.boot")

    return start


def program(source: str) -> bytes:
    code = assemble(source, bits=64, address=0x100000)
    return elf(segment(file_size=len(code))).ljust(0x100, b"\0")[:0x100] + code


def test_an_operating_systems_triple_fault_is_a_restart_but_not_for_ever(vmm, boot, tmp_path):
    faulting = vmlinux().replace(CODE, b"\x0f\x0b\x90")  # an exception without an interrupt table
    events = vmm.events()
    boot(bzimage(packed=gzip.compress(faulting)), format="elf64")
    kinds = []
    while not kinds or kinds[-1] != "crashed":
        kinds.append(events.next()["event"])
    assert kinds == ["created", "booted", "rebooted", "rebooted", "rebooted", "crashed"]
    info = vmm.get("vm.info")
    assert info["crash"]["kind"] == "triple_fault"
    assert "not started again after 3 of them within 60 s" in info["detail"]


def test_what_may_be_no_operating_system_crashes_at_its_first_triple_fault(vmm, boot):
    events = vmm.events()
    boot(program("ud2"))
    assert [events.next()["event"] for _ in range(3)] == ["created", "booted", "crashed"]


def test_a_panic_that_the_console_tells_of_is_a_crash_when_the_processors_stand_still(vmm, boot, tmp_path):
    events = vmm.events()
    boot(program(f"{PRINT} cli\n0: jmp 0b"))
    event = events.until("crashed")
    assert "its console says: VFS: Unable to mount root fs" in event["detail"]
    info = vmm.get("vm.info")
    assert (info["state"], info["crash"]["kind"]) == ("Crashed", "guest_panic")
    core = tmp_path / "core"
    vmm.put("vm.coredump", {"destination_url": f"file://{core}"})
    assert LAST_LINE.encode() in core.read_bytes(), "a crashed machine can be dumped"
    vmm.put("vm.reboot")
    assert vmm.state() == "Running"


def test_words_alone_are_no_panic(vmm, boot):
    """A guest that idles, waiting for interrupts, lives, whatever somebody has written to its console."""
    boot(program(f"{PRINT} sti\n0: hlt\njmp 0b"))
    wait_for(lambda: vmm.get("vm.counters")["vcpu0"]["parks"] >= 1, "a look at the processor")
    assert vmm.state() == "Running"
    assert "crash" not in vmm.get("vm.info")
    vmm.put("vm.pause")
    assert vmm.state() == "Paused"
