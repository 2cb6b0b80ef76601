"""Suspended VMs under the kvm driver: memory on disk, no process, and a guest that goes on where it was."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from nova_lite.hv.driver import DiskSpec, DriverError, MachineNotFound, MachineSpec, PowerState
from tests.kvm.driver_host import Host
from tests.kvm.vmm_process import INTERACTIVE, SerialClient, needs_kvm

pytestmark = needs_kvm


@pytest.fixture
def spec(host: Host) -> MachineSpec:
    """A server that has been told something."""
    spec = host.spec(INTERACTIVE)
    host.driver.prepare(spec)
    host.driver.power_on(spec)
    line = SerialClient(host.paths.serial_socket(spec.uuid))
    line.type("half a li")
    line.read_until("half a li")
    line.close()
    return spec


def said(host: Host, spec: MachineSpec, text: str, answer: str) -> str:
    line = SerialClient(host.paths.serial_socket(spec.uuid))
    line.type(text)
    heard = line.read_until(answer)
    line.close()
    return heard


def test_a_guest_goes_on_where_it_was_after_any_restart_of_the_driver(host: Host, spec: MachineSpec) -> None:
    before = host.driver.info(spec.uuid).pid
    for _ in range(2):
        host.driver.suspend(spec.uuid)
    assert host.driver.info(spec.uuid).power_state is PowerState.SHUTDOWN
    assert host.vmms() == []
    assert {path.stat().st_mode & 0o77 for path in host.paths.saved_machine(spec.uuid).iterdir()} == {0}
    host.replace_driver()
    for _ in range(2):
        info = host.driver.restore(spec)
        assert (info.power_state, info.pid != before) == (PowerState.RUNNING, True)
    assert not host.paths.saved_machine(spec.uuid).exists()
    heard = said(host, spec, "ne\r", "you said: half a line")
    assert heard.count("vCPUs=") <= 1, "it has not booted again; what it wrote before may be shown"
    host.driver.suspend(spec.uuid)  # and once more, from the restored one
    host.driver.restore(spec)
    said(host, spec, "again\r", "you said: again")


def test_a_driver_that_died_with_a_restored_vm_paused_lets_it_run(host: Host, spec: MachineSpec) -> None:
    host.driver.suspend(spec.uuid)
    host.driver._start_vmm(spec, host.paths.saved_machine(spec.uuid))  # as far as it came
    host.replace_driver()
    assert host.driver.info(spec.uuid).power_state is PowerState.PAUSED
    assert host.driver.restore(spec).power_state is PowerState.RUNNING
    said(host, spec, "ne\r", "you said: half a line")


@pytest.mark.parametrize("otherwise", ["power_on", "power_off", "reboot", "destroy"])
def test_what_was_saved_is_forgotten_when_the_server_goes_another_way(
    host: Host, spec: MachineSpec, otherwise: str
) -> None:
    host.driver.suspend(spec.uuid)
    ways = {"power_on": (spec,), "power_off": (spec.uuid,), "reboot": (spec, True), "destroy": (spec.uuid,)}
    getattr(host.driver, otherwise)(*ways[otherwise])
    assert not host.paths.saved_machine(spec.uuid).exists()
    host.driver.prepare(spec)
    host.driver.power_off(spec.uuid)
    with pytest.raises(DriverError, match="is gone"):
        host.driver.restore(spec)


def test_a_vm_that_cannot_be_saved_runs_on(host: Host, spec: MachineSpec) -> None:
    draft = host.paths.saved_machine(spec.uuid).with_name("suspended.part")
    draft.write_text("in the way")  # a file where the VMM wants a folder
    with pytest.raises(DriverError, match="cannot be saved"):
        host.driver.suspend(spec.uuid)
    assert host.driver.info(spec.uuid).power_state is PowerState.RUNNING
    said(host, spec, "ne\r", "you said: half a line")
    draft.unlink()
    host.driver.suspend(spec.uuid)


def test_nothing_can_be_saved_of_a_vm_that_is_off(host: Host, spec: MachineSpec) -> None:
    host.driver.power_off(spec.uuid)
    with pytest.raises(MachineNotFound):
        host.driver.suspend(spec.uuid)


def test_a_disk_that_is_missing_or_damaged_state_keeps_the_rest(host: Host, spec: MachineSpec, tmp_path: Path) -> None:
    host.driver.suspend(spec.uuid)
    saved = host.paths.saved_machine(spec.uuid)
    state = (saved / "state.bin").read_bytes()
    (saved / "state.bin").write_bytes(state[: len(state) // 2])
    with pytest.raises(DriverError, match="cannot be restored"):
        host.driver.restore(spec)
    missing = DiskSpec("vda", tmp_path / "nothing", 1 << 20, "raw")
    with pytest.raises(DriverError):
        host.driver.restore(dataclasses.replace(spec, disks=(missing,)))
    (saved / "state.bin").write_bytes(state)
    host.driver.restore(spec)
    said(host, spec, "ne\r", "you said: half a line")


def test_it_takes_the_memory_that_was_used_and_no_more(host: Host, spec: MachineSpec) -> None:
    host.driver.suspend(spec.uuid)
    used = sum(os.stat(path).st_blocks * 512 for path in host.paths.saved_machine(spec.uuid).iterdir())
    assert used < spec.memory_mb << 20
