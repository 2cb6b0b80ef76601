"""Volumes and images of servers whose guests run on real VMs."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.compute.images import DISK
from nova_lite.db import volumes as db_volumes
from nova_lite.hv.driver import PowerState
from nova_lite.hv.kvm import KvmDriver
from nova_lite.volumes.store import VolumeStore
from tests.kvm import disk_guest
from tests.kvm.native_guests import assemble
from tests.kvm.test_hotplug import OBEDIENT
from tests.kvm.vmm_process import COUNTING, needs_kvm
from tests.unit.computing import HOST, Computing, eventually

pytestmark = needs_kvm

CONTENT = b"\xeb".ljust(1 << 20, b"d")


@pytest.fixture
def hosting() -> Iterator[Computing]:
    with tempfile.TemporaryDirectory() as folder:
        made = Computing(Path(folder), None)
        driver = KvmDriver(made.paths)
        made.start_agent(driver)
        yield made
        for machine in driver.list():
            driver.destroy(machine.uuid)
        made.close()


def image(hosting: Computing, kernel: Path, form: str = "flat16") -> str:
    disk = hosting.paths.state / "disk"
    disk.write_bytes(CONTENT)
    return hosting.store.add("disked", kernel, form, disk=disk, disk_format="raw").id


def test_an_image_is_made_of_a_server_while_its_guest_counts(hosting: Computing) -> None:
    server = hosting.running(image_ref=image(hosting, COUNTING), flavor_ref="1")
    image_id = hosting.api.create_image(hosting.me, server, "snap")
    eventually(lambda: hosting.api.get_image(hosting.me, image_id).status == "active", "the image is there")
    hosting.settled(server, "active")
    assert hosting.agent is not None
    driver = hosting.agent._driver
    assert driver.info(server.uuid).power_state is PowerState.RUNNING
    said = driver.console_output(server.uuid, 100)
    eventually(lambda: driver.console_output(server.uuid, 100) != said, "the guest counts on")
    disk = hosting.store.disk(hosting.api.get_image(hosting.me, image_id))
    assert disk is not None
    with open(disk, "rb") as file:
        assert file.read(len(CONTENT)) == CONTENT
    hosting.running(image_ref=image_id, flavor_ref="1")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")
def test_an_image_of_a_server_that_writes_all_the_time_is_its_disk_at_one_moment(hosting: Computing) -> None:
    kernel = disk_guest.build(hosting.paths.state / "writing.elf", write_mib=48, passes=1 << 40)
    server = hosting.running(image_ref=image(hosting, kernel, "elf64"), flavor_ref="1")
    eventually(lambda: "boots 1" in hosting.api.console_output(hosting.me, hosting.get(server)), "the guest writes")
    image_id = hosting.api.create_image(hosting.me, server, "snap")
    eventually(lambda: hosting.api.get_image(hosting.me, image_id).status == "active", "the image is there")
    disk = hosting.store.disk(hosting.api.get_image(hosting.me, image_id))
    assert disk is not None
    with open(disk, "rb") as file:  # the guest writes from the front to the back, each time with the next number
        found = [os.pread(file.fileno(), 8, (2 << 20) + (number << 16) + 8) for number in range(48 << 4)]
    passes = [int.from_bytes(number, "little") for number in found]
    assert passes == sorted(passes, reverse=True) and passes[0] - passes[-1] <= 1
    assert hosting.agent is not None
    assert hosting.agent._driver.info(server.uuid).power_state is PowerState.RUNNING


def test_a_server_is_shelved_and_its_guest_counts_again_afterwards(hosting: Computing) -> None:
    server = hosting.running(image_ref=image(hosting, COUNTING), flavor_ref="1")
    hosting.api.shelve(hosting.me, server)
    away = hosting.settled(server, "shelved_offloaded")
    assert hosting.agent is not None and not hosting.paths.instance(server.uuid).exists()
    driver = hosting.agent._driver
    assert driver.list() == []
    hosting.api.unshelve(hosting.me, server)
    hosting.settled(server, "active")
    disk = hosting.paths.images / away.system_metadata["shelved_image_id"] / DISK
    with open(disk, "rb") as file:
        assert file.read(len(CONTENT)) == CONTENT
    eventually(lambda: driver.console_output(server.uuid, 100), "the guest counts")


def test_diagnostics_are_the_machines_and_an_interrupt_reaches_it(hosting: Computing) -> None:
    server = hosting.running(image_ref=image(hosting, COUNTING), flavor_ref="1")
    seen = hosting.get(server)
    eventually(lambda: hosting.api.diagnostics(hosting.me, seen).cpus[0] > 0, "the guest has run")
    found = hosting.api.diagnostics(hosting.me, seen)
    assert list(found.disks) == ["vda"] and found.disks["vda"]["errors"] == 0
    assert found.uptime is not None and 0 <= found.uptime < 3600
    assert found.memory_rss is not None and 1 << 20 < found.memory_rss < 1 << 32
    hosting.api.trigger_crash_dump(hosting.me, server)
    eventually(lambda: hosting.operations(server)[-1].state == "done", "every CPU got it")
    assert hosting.operations(server)[-1].action == "trigger_crash_dump"


def test_a_volume_is_plugged_into_a_guest_and_given_back(hosting: Computing) -> None:
    kernel = hosting.paths.state / "obedient"
    kernel.write_bytes(assemble(OBEDIENT))
    server = hosting.running(image_ref=image(hosting, kernel), flavor_ref="1")
    volume_id = VolumeStore(hosting.database, hosting.paths, hosting.store, HOST).create(1, project_id="p1").uuid

    def status() -> str:
        with hosting.database.read() as connection:
            found = db_volumes.get(connection, volume_id)
        assert found is not None
        return found.status

    for _ in range(2):
        hosting.api.attach_volume(hosting.me, server, volume_id)
        eventually(lambda: status() == "in-use", "the server has it")
        counters = hosting.api.diagnostics(hosting.me, hosting.get(server)).disks
        assert counters["vdb"]["errors"] == 0
        hosting.api.detach_volume(hosting.me, server, volume_id)
        eventually(lambda: status() == "available", "the server has given it back")
    assert "vdb" not in hosting.api.diagnostics(hosting.me, hosting.get(server)).disks
