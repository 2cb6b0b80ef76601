"""The fake driver keeps the contract of hv.driver, and does what a test orders."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_lite.hv.driver import DiskSpec, DriverError, MachineEvent, MachineNotFound, MachineSpec, PowerState
from nova_lite.hv.fake import FakeDriver

UUID = "6c5d4b3a-0000-4000-8000-000000000001"


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"\x90")
    return MachineSpec(UUID, "web", 2, 64, kernel, "flat16")


@pytest.fixture
def events() -> list[MachineEvent]:
    return []


@pytest.fixture
def driver(events: list[MachineEvent]) -> Iterator[FakeDriver]:
    driver = FakeDriver()
    driver.start(events.append)
    yield driver
    driver.close()


def test_life_of_a_machine(driver: FakeDriver, spec: MachineSpec) -> None:
    with pytest.raises(MachineNotFound):
        driver.info(UUID)
    driver.prepare(spec)
    assert driver.info(UUID).power_state == PowerState.SHUTDOWN
    info = driver.power_on(spec)
    assert (info.power_state, info.memory_mb, info.vcpus) == (PowerState.RUNNING, 64, 2) and info.pid
    assert driver.power_on(spec) == info == driver.info(UUID)
    driver.pause(UUID)
    driver.pause(UUID)
    assert driver.info(UUID).power_state == PowerState.PAUSED
    driver.resume(UUID)
    assert set(driver.counters(UUID)) == {"serial", "vcpu0", "vcpu1"}
    assert driver.reboot(spec, hard=False).pid == info.pid
    assert driver.reboot(spec, hard=True).pid != info.pid
    driver.power_off(UUID)
    driver.power_off(UUID)
    assert (driver.info(UUID).power_state, driver.info(UUID).pid) == (PowerState.SHUTDOWN, 0)
    assert driver.console_output(UUID, 9999).count(b"fake guest: web\n") == 3
    driver.destroy(UUID)
    driver.destroy(UUID)
    assert driver.list() == []


def test_verbs_on_a_machine_that_is_off(driver: FakeDriver, spec: MachineSpec) -> None:
    driver.prepare(spec)
    for verb in (driver.pause, driver.resume, driver.counters):
        with pytest.raises(MachineNotFound):
            verb(UUID)
    assert driver.console_output(UUID, 10) == b""


def test_a_guest_hears_its_power_button_unless_it_is_deaf(
    driver: FakeDriver, spec: MachineSpec, events: list[MachineEvent]
) -> None:
    driver.prepare(spec)
    with pytest.raises(DriverError):
        driver.press_power_button(UUID)
    driver.power_on(spec)
    driver.pause(UUID)
    with pytest.raises(DriverError, match="paused"):
        driver.press_power_button(UUID)
    driver.resume(UUID)
    driver.deaf.add(UUID)
    driver.press_power_button(UUID)
    assert driver.info(UUID).power_state == PowerState.RUNNING
    driver.deaf.clear()
    driver.press_power_button(UUID)
    assert driver.info(UUID).power_state == PowerState.SHUTDOWN
    assert events == [MachineEvent(UUID, "shutdown")]


def test_a_missing_initramfs_is_refused_early(driver: FakeDriver, spec: MachineSpec) -> None:
    with pytest.raises(DriverError, match="'initrd' does not exist"):
        driver.prepare(replace(spec, initramfs=spec.kernel.with_name("initrd")))


def test_missing_kernel_is_refused_early(driver: FakeDriver, spec: MachineSpec) -> None:
    spec.kernel.unlink()
    with pytest.raises(DriverError, match="does not exist"):
        driver.prepare(spec)


def test_fails_as_often_as_told_and_only_there(driver: FakeDriver, spec: MachineSpec) -> None:
    driver.fail("power_on", "No power.", times=2)
    driver.prepare(spec)
    for _ in range(2):
        with pytest.raises(DriverError, match="No power"):
            driver.power_on(spec)
    assert driver.power_on(spec).power_state == PowerState.RUNNING


def test_slow_verb_holds_up_its_own_machine_only_and_close_ends_it(driver: FakeDriver, spec: MachineSpec) -> None:
    driver.prepare(spec)
    driver.delay("power_on", 600)
    thread = threading.Thread(target=driver.power_on, args=(spec,))
    thread.start()
    assert driver.list()[0].power_state == PowerState.SHUTDOWN
    driver.close()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize(
    ("kind", "state"),
    [
        ("shutdown", PowerState.SHUTDOWN),
        ("reset", PowerState.RUNNING),
        ("crashed", PowerState.CRASHED),
        ("gone", PowerState.SHUTDOWN),
    ],
)
def test_guest_events_change_the_state_and_reach_the_listener(
    driver: FakeDriver, spec: MachineSpec, events: list[MachineEvent], kind: str, state: PowerState
) -> None:
    driver.power_on(spec)
    driver.fire(UUID, kind, "why")
    assert driver.info(UUID).power_state == state
    assert events == [MachineEvent(UUID, kind, "why")]
    assert driver.power_on(spec).power_state == PowerState.RUNNING


@pytest.mark.parametrize("kind", ["dict", "folder"])
def test_machines_survive_a_restart_of_the_driver(tmp_path: Path, spec: MachineSpec, kind: str) -> None:
    host: Any = {} if kind == "dict" else tmp_path / "host"
    first = FakeDriver(host)
    info = first.power_on(spec)
    first.write_console(UUID, b"\xff out\n")
    first.close()
    second = FakeDriver(host)
    assert second.list() == [info]
    assert second.console_output(UUID, 6) == b"\xff out\n"
    assert second.reboot(spec, hard=True).pid != info.pid
    second.destroy(UUID)
    assert FakeDriver(host).list() == []


def test_calls_are_kept_in_order(driver: FakeDriver, spec: MachineSpec) -> None:
    driver.prepare(spec)
    driver.power_on(spec)
    assert driver.calls[-2:] == [("prepare", UUID), ("power_on", UUID)]


def test_several_machines_at_once(driver: FakeDriver, spec: MachineSpec) -> None:
    specs = [MachineSpec(f"{n:08x}{UUID[8:]}", "n", 1, 16, spec.kernel, "flat16") for n in range(8)]
    threads = [threading.Thread(target=driver.power_on, args=(each,)) for each in specs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({info.pid for info in driver.list()}) == 8


def test_disks_need_what_they_are_made_of_and_are_remembered(driver: FakeDriver, spec: MachineSpec) -> None:
    base = spec.kernel.with_name("base")
    wanted = replace(spec, disks=(DiskSpec("vda", spec.kernel.with_name("vda"), 1 << 20, backing=base),))
    with pytest.raises(DriverError, match="disk vda cannot be made"):
        driver.prepare(wanted)
    base.touch()
    driver.prepare(wanted)
    driver.power_on(wanted)
    assert driver.specs[UUID].disks == wanted.disks
    driver.destroy(UUID)
    assert driver.specs == {}
