"""Stop and soft reboot let a guest that hears its power button power itself off first, as long as it may take."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from nova_lite import objects
from nova_lite.db import images
from nova_lite.hv.driver import PowerState
from tests.functional.disk_driver import DiskDriver
from tests.unit.computing import Computing, eventually
from tests.unit.test_loader_linux import bzimage

NEVER = 86400  # seconds; a test that waited for it would be seen


class Listening(DiskDriver):
    """Tells when a power button was pressed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.pressed = threading.Semaphore(0)

    def press_power_button(self, uuid: str) -> None:
        super().press_power_button(uuid)
        self.pressed.release()

    def asked(self, *verbs: str) -> list[str]:
        return [verb for verb, _ in self.calls if verb in verbs]


@pytest.fixture
def driver(hosting: Computing) -> Listening:
    driver = Listening(hosting.driver.root)
    hosting.conf.set_override("shutdown_timeout", NEVER, group="compute")
    hosting.start_agent(driver)
    return driver


def linux(hosting: Computing, **image: object) -> objects.Instance:
    """A running server whose kernel is a bzImage."""
    kernel = hosting.paths.state / "vmlinuz"
    kernel.write_bytes(bzimage())
    return hosting.running(image_ref=hosting.store.add("linux", kernel, **image).id)  # type: ignore[arg-type]


def test_stop_waits_for_the_guests_own_end(hosting: Computing, driver: Listening) -> None:
    made = linux(hosting)
    driver.deaf.add(made.uuid)
    hosting.api.stop(hosting.me, made)
    assert driver.pressed.acquire(timeout=60)
    driver.guest(made.uuid, "reset")  # no end
    assert driver.info(made.uuid).power_state is PowerState.RUNNING
    assert hosting.get(made).task_state == "powering-off"
    driver.guest(made.uuid, "shutdown")
    found = hosting.settled(made, "stopped")
    assert (found.power_state, found.fault) == (4, None)
    assert driver.asked("press_power_button", "power_off")[:2] == ["press_power_button", "power_off"]
    hosting.api.start(hosting.me, made)
    hosting.settled(made, "active")
    assert driver.boots(made.uuid) == 2


def test_a_soft_reboot_powers_off_and_boots_again(hosting: Computing, driver: Listening) -> None:
    made = linux(hosting)
    before = driver.info(made.uuid).pid
    hosting.api.reboot(hosting.me, made, hard=False)
    hosting.settled(made, "active")
    assert driver.pressed.acquire(timeout=60)
    assert driver.boots(made.uuid) == 2
    assert driver.info(made.uuid).pid != before


def test_a_hard_reboot_asks_nobody(hosting: Computing, driver: Listening) -> None:
    made = linux(hosting)
    hosting.api.reboot(hosting.me, made, hard=True)
    hosting.settled(made, "active")
    assert driver.asked("press_power_button") == []


@pytest.mark.parametrize("verb", ["stop", "reboot"])
def test_a_guest_that_does_not_power_off_in_time_is_ended(hosting: Computing, driver: Listening, verb: str) -> None:
    made = linux(hosting, properties={"os_shutdown_timeout": "1"})  # before the option, which would take a day
    driver.deaf.add(made.uuid)
    if verb == "stop":
        hosting.api.stop(hosting.me, made)
        assert hosting.settled(made, "stopped").fault is None
    else:
        hosting.api.reboot(hosting.me, made, hard=False)
        assert hosting.settled(made, "active").fault is None
        assert driver.boots(made.uuid) == 2
    assert driver.pressed.acquire(timeout=60)


def test_guests_that_cannot_hear_it_are_not_waited_for(hosting: Computing, driver: Listening) -> None:
    flat, told = hosting.running(), linux(hosting, properties={"os_shutdown_timeout": "0"})
    for made in (flat, told):
        driver.deaf.add(made.uuid)
        hosting.api.reboot(hosting.me, made, hard=False)
        hosting.settled(made, "active")
        hosting.api.stop(hosting.me, made)
        hosting.settled(made, "stopped")
    assert driver.asked("press_power_button") == []


def test_a_delete_does_not_wait_for_the_guest(hosting: Computing, driver: Listening) -> None:
    made = linux(hosting)
    driver.deaf.add(made.uuid)
    hosting.api.stop(hosting.me, made)
    assert driver.pressed.acquire(timeout=60)
    hosting.api.delete(hosting.me, made)
    hosting.becomes(made, "deleted")
    assert not driver.exists(made.uuid)


def test_a_crashed_guest_is_stopped_without_being_asked(hosting: Computing, driver: Listening) -> None:
    made = linux(hosting)
    driver.fire(made.uuid, "crashed", "the guest kernel panicked")
    crashed = hosting.becomes(made, "error")
    assert crashed.power_state == PowerState.CRASHED
    assert crashed.fault is not None
    assert crashed.fault.message == (
        "The guest crashed: the guest kernel panicked. Its console output shows what it wrote before."
    )
    hosting.api.stop(hosting.me, made)
    hosting.settled(made, "stopped")
    assert driver.asked("press_power_button") == []


def test_a_server_whose_image_is_gone_can_be_stopped(hosting: Computing, driver: Listening) -> None:
    made = linux(hosting)
    with hosting.database.write() as connection:
        images.delete(connection, made.image_ref)
    hosting.api.stop(hosting.me, made)
    hosting.settled(made, "stopped")
    eventually(lambda: driver.info(made.uuid).power_state is PowerState.SHUTDOWN, "it is off")
