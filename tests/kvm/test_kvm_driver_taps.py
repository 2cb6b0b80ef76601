"""A server's taps reach its VMM, which may open none itself: in a network namespace made for each test."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_lite.hv.driver import DriverError, MachineSpec, NicSpec
from nova_lite.hv.kvm import KvmDriver
from nova_lite.hv.vmm import client
from nova_lite.paths import Paths
from tests.kvm.native_guests import assemble
from tests.kvm.test_hotplug import OBEDIENT, STUBBORN
from tests.kvm.vmm_process import INTERACTIVE, needs_kvm

pytestmark = [
    needs_kvm,
    pytest.mark.skipif(
        os.geteuid() != 0 or not os.path.exists("/dev/net/tun"), reason="taps need root and /dev/net/tun"
    ),
]
CLONE_NEWNET = 0x40000000
TUNSETIFF, TUNSETPERSIST = 0x400454CA, 0x400454CB
TAP, MULTI_QUEUE, NO_PI, VNET_HDR = 0x2, 0x100, 0x1000, 0x4000


def in_a_namespace(work: Callable[[], None]) -> None:
    """Run it in a thread with a network namespace of its own, which ends with the last process in it."""
    failures: list[BaseException] = []

    def run() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            pytest.skip("this host allows no network namespace")
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def make_tap(name: str, pairs: int) -> None:
    """As an agent does: persistent, so that it outlives each VMM."""
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    flags = TAP | NO_PI | VNET_HDR | (MULTI_QUEUE if pairs > 1 else 0)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    fcntl.ioctl(fd, TUNSETPERSIST, 1)
    os.close(fd)
    subprocess.run(["ip", "link", "set", name, "up"], check=True)


@pytest.fixture(name="driver")
def _driver(tmp_path: Path) -> Iterator[KvmDriver]:
    driver = KvmDriver(Paths(tmp_path))
    yield driver
    for machine in driver.list():
        driver.destroy(machine.uuid)
    driver.close()


def spec(*nics: NicSpec) -> MachineSpec:
    return MachineSpec(str(uuid.uuid4()), "taps", 1, 64, INTERACTIVE, "elf64", nics=nics)


def test_a_server_runs_on_the_taps_it_was_given_again_and_again(driver):
    def work() -> None:
        driver.start(lambda event: None)
        make_tap("one", 1)
        make_tap("two", 2)
        wanted = spec(
            NicSpec("port-one", "one", "02:00:00:00:00:01", mtu=1400),
            NicSpec("port-two", "two", "02:00:00:00:00:02", queue_pairs=2),
        )
        driver.prepare(wanted)
        for _ in range(2):
            machine = driver.power_on(wanted)
            links = [
                Path(f"/proc/{machine.pid}/fdinfo/{fd}").read_text() for fd in os.listdir(f"/proc/{machine.pid}/fd")
            ]
            assert sum("iff:\tone" in link for link in links) == 2  # what it was given, and the device's duplicate
            assert sum("iff:\ttwo" in link for link in links) == 4
            status = Path(f"/proc/{machine.pid}/status").read_text()
            assert "CapEff:\t0000000000000000" in status
            assert {"port-one", "port-two"} <= set(driver.counters(wanted.uuid))
            driver.reboot(wanted, hard=False)
            assert {"port-one", "port-two"} <= set(driver.counters(wanted.uuid))
            driver.power_off(wanted.uuid)

    in_a_namespace(work)


def test_a_tap_that_cannot_be_had_is_named_and_leaves_nothing(driver):
    def work() -> None:
        driver.start(lambda event: None)
        make_tap("two", 2)
        wanted = spec(NicSpec("port", "two", "02:00:00:00:00:02"))
        driver.prepare(wanted)
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(DriverError, match="The VM's tap two cannot be opened: Invalid argument"):
            driver.power_on(wanted)
        assert len(os.listdir("/proc/self/fd")) == before

    in_a_namespace(work)


def cards(driver: KvmDriver, wanted: MachineSpec, tmp_path: Path) -> list[str]:
    config = client.request(Paths(tmp_path).vmm_socket(wanted.uuid), "GET", "vm.info")["config"]
    return [card["id"] for card in config.get("net", ())]


def test_a_card_comes_to_a_machine_that_runs_and_leaves_it(driver: KvmDriver, tmp_path: Path) -> None:
    def work() -> None:
        driver.start(lambda event: None)
        for name in ("one", "two"):
            make_tap(name, 1)
        kernel = tmp_path / "kernel"
        kernel.write_bytes(assemble(OBEDIENT))
        first, second = (NicSpec(name, name, f"02:00:00:00:00:0{n}") for n, name in enumerate(("one", "two")))
        wanted = MachineSpec(str(uuid.uuid4()), "taps", 1, 64, kernel, "flat16", nics=(first,))
        driver.prepare(wanted)
        assert not driver.attach_nic(wanted.uuid, second)  # it is off: it has it when it is started
        driver.power_on(wanted)
        for _ in range(2):
            assert driver.attach_nic(wanted.uuid, second)
        assert cards(driver, wanted, tmp_path) == ["one", "two"]
        for _ in range(2):
            assert driver.detach_nic(wanted.uuid, "two", 60.0)
        assert cards(driver, wanted, tmp_path) == ["one"]
        with pytest.raises(DriverError):
            driver.attach_nic(wanted.uuid, NicSpec("none", "none", "02:00:00:00:00:09"))
        assert driver.attach_nic(wanted.uuid, second)  # and again
        driver.power_off(wanted.uuid)
        assert driver.detach_nic(wanted.uuid, "two", 60.0)

    in_a_namespace(work)


def test_a_card_that_its_guest_keeps_is_said_to_be_there(driver: KvmDriver, tmp_path: Path) -> None:
    def work() -> None:
        driver.start(lambda event: None)
        make_tap("one", 1)
        kernel = tmp_path / "kernel"
        kernel.write_bytes(assemble(STUBBORN))
        wanted = MachineSpec(str(uuid.uuid4()), "taps", 1, 64, kernel, "flat16")
        card = NicSpec("one", "one", "02:00:00:00:00:01")
        driver.prepare(wanted)
        driver.power_on(wanted)
        assert driver.attach_nic(wanted.uuid, card)
        assert not driver.detach_nic(wanted.uuid, "one", 0.5)
        assert not driver.attach_nic(wanted.uuid, card)  # the old one is in its place

    in_a_namespace(work)
