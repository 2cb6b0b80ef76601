"""Volumes of servers with an agent at work: attached, detached when the guest lets go, through the agent's ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nova_lite import objects
from nova_lite.db import volumes as db_volumes
from nova_lite.volumes.store import VolumeStore
from tests.functional.test_crash_agent import crash_points, run_until_crash
from tests.unit.computing import HOST, Computing, eventually


class WithVolumes(Computing):
    def store_of_volumes(self) -> VolumeStore:
        return VolumeStore(self.database, self.paths, self.store, HOST)

    def volume(self) -> str:
        return self.store_of_volumes().create(1, project_id="p1").uuid

    def status(self, volume_id: str | None) -> str | None:
        with self.database.read() as connection:
            found = db_volumes.get(connection, str(volume_id))
        return found.status if found is not None else None

    def is_(self, volume_id: str, status: str | None) -> None:
        eventually(lambda: self.status(volume_id) == status, f"the volume is {status}")

    def disks(self, server: objects.Instance) -> list[str]:
        return [disk.device_name for disk in self.driver.specs[server.uuid].disks]

    def attached(self, server: objects.Instance, **more: Any) -> str:
        volume_id = self.volume()
        self.api.attach_volume(self.me, server, volume_id, **more)
        self.is_(volume_id, "in-use")
        return volume_id


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[WithVolumes]:
    made = WithVolumes(tmp_path / "state", None)
    yield made
    made.close()


def test_a_running_server_gets_a_volume_at_once_and_gives_it_back(hosting: WithVolumes) -> None:
    hosting.start_agent()
    server = hosting.running()
    volume_id = hosting.attached(server)
    (disk,) = hosting.driver.specs[server.uuid].disks
    assert disk.device_name == "vda" and disk.format == "raw" and disk.size == 1 << 30
    assert disk.serial == volume_id[:20] and disk.path == hosting.paths.volume(volume_id)
    hosting.api.detach_volume(hosting.me, server, volume_id)
    hosting.is_(volume_id, "available")
    assert hosting.disks(server) == [] and hosting.api.volume_attachments(hosting.me, [server.uuid]) == {}
    assert hosting.settled(server, "active").fault is None
    names = [operation.action for operation in hosting.operations(server)]
    assert names == ["create", "attach_volume", "detach_volume"]


def test_a_stopped_server_gets_it_at_its_next_start(hosting: WithVolumes) -> None:
    hosting.start_agent()
    server = hosting.running()
    hosting.api.stop(hosting.me, server)
    hosting.settled(server, "stopped")
    first, second = hosting.attached(server), hosting.attached(server)
    hosting.api.detach_volume(hosting.me, server, first)
    hosting.is_(first, "available")
    hosting.settled(server, "stopped")
    hosting.api.start(hosting.me, server)
    hosting.settled(server, "active")
    assert hosting.disks(server) == ["vdb"]
    assert hosting.attached(server) and hosting.disks(server) == ["vdb", "vda"]
    assert hosting.status(second) == "in-use"


def test_a_guest_that_keeps_a_volume_has_it_until_it_lets_go(hosting: WithVolumes) -> None:
    hosting.start_agent()
    server = hosting.running()
    volume_id = hosting.attached(server)
    hosting.driver.stubborn.add(server.uuid)
    hosting.api.detach_volume(hosting.me, server, volume_id)
    hosting.settled(server, "active")
    assert hosting.status(volume_id) == "detaching"
    assert hosting.api.volume_attachment(hosting.me, server, volume_id).device_name == "/dev/vda"
    spec = hosting.driver.specs[server.uuid]
    hosting.driver.stubborn.clear()
    hosting.driver.specs[server.uuid] = replace(spec, disks=())
    hosting.driver.fire(server.uuid, "device_removed", "vda")
    hosting.is_(volume_id, "available")


def test_a_guest_that_keeps_a_volume_loses_it_when_its_server_stops(hosting: WithVolumes) -> None:
    hosting.start_agent()
    server = hosting.running()
    volume_id = hosting.attached(server)
    hosting.driver.stubborn.add(server.uuid)
    hosting.api.detach_volume(hosting.me, server, volume_id)
    hosting.settled(server, "active")
    hosting.api.reboot(hosting.me, server, hard=True)
    hosting.is_(volume_id, "available")
    assert hosting.disks(server) == []


def test_a_volume_that_cannot_be_plugged_in_is_free_again(hosting: WithVolumes) -> None:
    hosting.start_agent()
    server = hosting.running()
    volume_id = hosting.volume()
    hosting.driver.fail("attach_disk", "The machine has no free slot.")
    hosting.api.attach_volume(hosting.me, server, volume_id)
    hosting.is_(volume_id, "available")
    failed = hosting.settled(server, "active")
    assert failed.fault is not None and failed.fault.message == "The machine has no free slot."
    assert hosting.operations(server)[-1].state == "failed"
    assert hosting.api.volume_attachments(hosting.me, [server.uuid]) == {}


def test_volumes_go_or_stay_when_their_server_is_deleted(hosting: WithVolumes) -> None:
    hosting.start_agent()
    server = hosting.running()
    stays, goes = hosting.attached(server), hosting.attached(server, delete_on_termination=True)
    hosting.api.delete(hosting.me, server)
    hosting.becomes(server, "deleted")
    hosting.is_(stays, "available")
    hosting.is_(goes, None)
    assert hosting.paths.volume(stays).exists() and not hosting.paths.volume(goes).exists()


def test_a_delete_overtakes_an_attachment(hosting: WithVolumes) -> None:
    hosting.start_agent()
    server = hosting.running()
    hosting.stop_agent()
    volume_id = hosting.volume()
    hosting.api.attach_volume(hosting.me, server, volume_id)
    hosting.api.delete(hosting.me, server)
    hosting.start_agent()
    hosting.is_(volume_id, "available")


@pytest.mark.parametrize("point", crash_points("attach_volume"))
def test_an_accepted_attachment_survives_the_agents_end_at(hosting: WithVolumes, point: str) -> None:
    hosting.start_agent()
    server = hosting.running()
    hosting.stop_agent()
    volume_id = hosting.volume()
    hosting.api.attach_volume(hosting.me, server, volume_id)
    run_until_crash(hosting, point)
    hosting.start_agent()
    hosting.settled(server, "active")
    hosting.is_(volume_id, "in-use")
    assert len(hosting.api.volume_attachments(hosting.me, [server.uuid])[server.uuid]) == 1


@pytest.mark.parametrize("point", crash_points("detach_volume"))
def test_an_accepted_detachment_survives_the_agents_end_at(hosting: WithVolumes, point: str) -> None:
    hosting.start_agent()
    server = hosting.running()
    volume_id = hosting.attached(server)
    hosting.stop_agent()
    hosting.api.detach_volume(hosting.me, server, volume_id)
    run_until_crash(hosting, point)
    hosting.start_agent()
    hosting.settled(server, "active")
    hosting.is_(volume_id, "available")
    assert hosting.api.volume_attachments(hosting.me, [server.uuid]) == {}
