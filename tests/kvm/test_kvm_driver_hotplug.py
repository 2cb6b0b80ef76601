"""Disks that come to real VMs and go from them under the kvm driver, through restarts of the driver."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from nova_lite.hv.driver import DiskSpec, DriverError
from nova_lite.hv.vmm import client
from tests.kvm.driver_host import Host
from tests.kvm.native_guests import assemble
from tests.kvm.test_hotplug import OBEDIENT, STUBBORN
from tests.kvm.vmm_process import needs_kvm, wait_for

pytestmark = needs_kvm


@pytest.fixture
def volume(tmp_path: Path) -> DiskSpec:
    path = tmp_path / "volume"
    path.touch()
    os.truncate(path, 1 << 20)
    return DiskSpec("vdb", path, 1 << 20, "raw", serial="volume")


def running(host: Host, tmp_path: Path, code: str) -> str:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(assemble(code))
    spec = host.spec(kernel)
    host.driver.power_on(spec)
    return spec.uuid


def disks(host: Host, uuid: str) -> list[str]:
    config = client.request(host.paths.vmm_socket(uuid), "GET", "vm.info")["config"]
    return [disk["id"] for disk in config.get("disks", ())]


def test_a_disk_is_plugged_in_once_and_given_back(host: Host, tmp_path: Path, volume: DiskSpec) -> None:
    uuid = running(host, tmp_path, OBEDIENT)
    for _ in range(2):
        host.driver.attach_disk(uuid, volume)
    assert disks(host, uuid) == ["vdb"]
    host.replace_driver()
    host.driver.attach_disk(uuid, volume)
    assert disks(host, uuid) == ["vdb"]
    for _ in range(2):
        assert host.driver.detach_disk(uuid, "vdb", 60.0)
    assert disks(host, uuid) == []
    event = host.event()
    assert (event.uuid, event.kind, event.detail) == (uuid, "device_removed", "vdb")


def test_a_guest_that_keeps_its_disk_holds_up_nobody(host: Host, tmp_path: Path, volume: DiskSpec) -> None:
    uuid = running(host, tmp_path, STUBBORN)
    host.driver.attach_disk(uuid, volume)
    answers: list[bool] = []
    asking = threading.Thread(target=lambda: answers.append(host.driver.detach_disk(uuid, "vdb", 3.0)))
    asking.start()
    wait_for(lambda: client.request(host.paths.vmm_socket(uuid), "GET", "vm.info").get("removing"), "the question")
    assert host.driver.info(uuid).pid
    asking.join()
    assert answers == [False] and disks(host, uuid) == ["vdb"]
    assert not host.driver.detach_disk(uuid, "vdb", 0)
    host.driver.power_off(uuid)
    assert host.driver.detach_disk(uuid, "vdb", 0)


def test_no_disk_comes_to_a_machine_that_is_off(host: Host, tmp_path: Path, volume: DiskSpec) -> None:
    uuid = running(host, tmp_path, OBEDIENT)
    host.driver.power_off(uuid)
    host.driver.attach_disk(uuid, volume)
    assert host.driver.detach_disk(uuid, "vdb", 60.0)


def test_a_disk_that_cannot_be_had_is_said_so(host: Host, tmp_path: Path, volume: DiskSpec) -> None:
    first, second = running(host, tmp_path, OBEDIENT), running(host, tmp_path, OBEDIENT)
    host.driver.attach_disk(first, volume)
    with pytest.raises(DriverError, match="is in use by another machine"):
        host.driver.attach_disk(second, volume)
    volume.path.unlink()
    with pytest.raises(DriverError, match="vdb is missing on its host"):
        host.driver.attach_disk(second, volume)
