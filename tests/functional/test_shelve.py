"""Shelving: what leaves the host and what stays, the way back, and the agent's end on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from nova_lite import exceptions, objects
from nova_lite.db import hosts as db_hosts
from nova_lite.hv.driver import PowerState
from tests.functional.cloud import ADMIN, HOST, READER, Cloud
from tests.functional.test_crash_agent import run_until_crash
from tests.functional.test_server_images import CONTENT, WRITTEN, DriverWithDisks, WithImages, disk_of
from tests.functional.test_volume_boot import IMAGE, root
from tests.unit.computing import Computing, eventually


class Emptying(DriverWithDisks):
    """Takes a server's disks away with its machine, as a real one does."""

    def destroy(self, uuid: str) -> None:
        super().destroy(uuid)
        shutil.rmtree(self.root.parent / "instances" / uuid, ignore_errors=True)


def shelving(tmp_path: Path, offload_time: int = 0) -> WithImages:
    made = WithImages(tmp_path / "state", None, compute={"shelved_offload_time": offload_time})
    made.driver = Emptying(made.paths.state / "machines")
    kernel, disk = tmp_path / "kernel", tmp_path / "disk"
    kernel.write_bytes(b"good")
    disk.write_bytes(CONTENT)
    made.store.add("disked", kernel, "flat16", image_id=IMAGE, disk=disk, disk_format="raw")
    return made


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[WithImages]:
    made = shelving(tmp_path)
    yield made
    made.close()


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[WithImages]:
    """Where shelved servers keep their files on the host."""
    made = shelving(tmp_path, offload_time=-1)
    yield made
    made.close()


def images(hosting: Computing) -> list[objects.Image]:
    found = hosting.api.list_images(hosting.me)
    return [image for image in found if image.name.endswith("-shelved")]


def test_a_server_leaves_its_host_and_comes_back_with_what_it_wrote(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.server()
    volume_id = hosting.attached(server)
    hosting.api.shelve(hosting.me, server)
    away = hosting.settled(server, "shelved_offloaded")
    assert (away.host, away.power_state) == ("", 4)
    assert not hosting.driver.exists(server.uuid) and not hosting.paths.instance(server.uuid).exists()
    assert hosting.status(volume_id) == "in-use"
    (image,) = images(hosting)
    assert image.name == "server-shelved" and disk_of(hosting, image) == (CONTENT[:16], WRITTEN)
    assert away.system_metadata.keys() == {"shelved_at", "shelved_host", "shelved_image_id"}
    hosting.api.unshelve(hosting.me, server)
    back = hosting.settled(server, "active")
    assert back.host == HOST and back.system_metadata == {} and back.image_ref == IMAGE
    first, second = hosting.driver.specs[server.uuid].disks
    assert first.backing == hosting.store.disk(image) and second.path == hosting.paths.volume(volume_id)
    assert images(hosting) == [] and hosting.image(image.id).status == "deleted"
    hosting.api.shelve(hosting.me, server)
    hosting.settled(server, "shelved_offloaded")
    assert disk_of(hosting, images(hosting)[0])[1] == WRITTEN
    hosting.api.delete(hosting.me, server)
    hosting.settled(server, "deleted")
    assert images(hosting) == []
    eventually(lambda: hosting.status(volume_id) == "available", "its volume is free")
    eventually(lambda: not list(hosting.paths.images.glob(f"{image.id}*")), "the image's files are gone")
    actions = [(op.action, op.state) for op in hosting.operations(server)]
    assert actions == [(verb, "done") for verb in ("create", "attach_volume", "shelve", "unshelve", "shelve", "delete")]


def test_a_shelved_server_may_keep_its_files_for_a_while(keeping: WithImages) -> None:
    keeping.start_agent()
    server = keeping.server()
    keeping.api.pause(keeping.me, server)
    keeping.settled(server, "paused")
    for _ in range(2):
        keeping.api.shelve(keeping.me, server)
        shelved = keeping.settled(server, "shelved")
        assert (shelved.host, shelved.power_state) == (HOST, 4)
        assert keeping.paths.disk(server.uuid, "vda").exists() and len(images(keeping)) == 1
        keeping.api.unshelve(keeping.me, server)
        assert keeping.settled(server, "active").system_metadata == {}
        assert images(keeping) == []
    (disk,) = keeping.driver.specs[server.uuid].disks
    assert disk.backing == keeping.store.disk(keeping.image(IMAGE))  # its own disk, as it was
    keeping.api.shelve(keeping.me, server)
    keeping.settled(server, "shelved")
    with pytest.raises(exceptions.Conflict, match="must be SHELVED_OFFLOADED"):
        keeping.api.unshelve(keeping.me, server, availability_zone="nova")
    keeping.api.shelve_offload(keeping.me, server)
    assert keeping.settled(server, "shelved_offloaded").system_metadata["shelved_image_id"] == images(keeping)[0].id
    with pytest.raises(exceptions.Conflict, match="Cannot 'shelveOffload'"):
        keeping.api.shelve_offload(keeping.me, server)
    keeping.api.unshelve(keeping.me, server, availability_zone=None)
    assert keeping.settled(server, "active").pinned_availability_zone is None


def test_a_server_on_a_volume_needs_no_image(keeping: WithImages) -> None:
    keeping.start_agent()
    volume_id = keeping.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    server = keeping.api.create(
        keeping.me, name="s", flavor_ref="42", image_ref=None, block_device_mapping_v2=[root("volume", volume_id)]
    )[0]
    keeping.settled(server, "active")
    keeping.api.shelve(keeping.me, server)
    keeping.settled(server, "shelved_offloaded")
    assert images(keeping) == [] and keeping.status(volume_id) == "in-use"
    keeping.api.unshelve(keeping.me, server)
    keeping.settled(server, "active")
    assert keeping.driver.info(server.uuid).power_state is PowerState.RUNNING


def test_volumes_come_and_go_while_it_is_away(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.server()
    leaving = hosting.attached(server)
    hosting.api.shelve(hosting.me, server)
    hosting.settled(server, "shelved_offloaded")
    hosting.api.detach_volume(hosting.me, server, leaving)
    assert hosting.status(leaving) == "available"
    coming = hosting.volume()
    hosting.api.attach_volume(hosting.me, server, coming)
    assert hosting.status(coming) == "in-use"
    with pytest.raises(exceptions.Invalid, match="status must be 'available'"):
        hosting.api.attach_volume(hosting.me, server, coming)
    hosting.api.unshelve(hosting.me, server)
    hosting.settled(server, "active")
    assert [disk.path for disk in hosting.driver.specs[server.uuid].disks][1:] == [hosting.paths.volume(coming)]
    actions = [(op.action, op.state) for op in hosting.operations(server)]
    assert actions[3:5] == [("detach_volume", "done"), ("attach_volume", "done")]


def test_without_its_host_or_its_image_it_does_not_come_back(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.shelve(hosting.me, server)
    hosting.settled(server, "shelved_offloaded")
    with pytest.raises(exceptions.Invalid, match="zone is not available"):
        hosting.api.unshelve(hosting.me, server, availability_zone="mars")
    with pytest.raises(exceptions.Invalid, match="Compute host mars could not be found"):
        hosting.api.unshelve(hosting.me, server, host="mars")
    with hosting.database.write() as connection:
        service = next(s for s in db_hosts.list_services(connection, "", 60) if s.binary == db_hosts.COMPUTE)
        db_hosts.update_service(connection, service.id, {"disabled": True})
    hosting.api.unshelve(hosting.me, server)
    assert hosting.settled(server, "shelved_offloaded").host == ""
    failed = hosting.operations(server)[-1]
    assert failed.state == "failed" and "No valid host" in (failed.message or "")
    with hosting.database.write() as connection:
        db_hosts.update_service(connection, service.id, {"disabled": False})
    hosting.store.remove(images(hosting)[0].id)
    hosting.api.unshelve(hosting.me, server)
    lost = hosting.settled(server, "error")
    assert lost.host == "" and lost.fault is not None and "cannot be found" in lost.fault.message
    with pytest.raises(exceptions.Conflict, match="is not ready"):
        hosting.api.reboot(hosting.me, server, hard=True)
    hosting.api.delete(hosting.me, server)
    hosting.settled(server, "deleted")


def test_a_server_that_cannot_be_started_stays_shelved(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.shelve(hosting.me, server)
    hosting.settled(server, "shelved_offloaded")
    hosting.driver.fail("power_on", "no memory is left on the host.")
    hosting.api.unshelve(hosting.me, server)
    found = hosting.settled(server, "shelved_offloaded")
    assert found.host == "" and not hosting.driver.exists(server.uuid) and len(images(hosting)) == 1
    hosting.api.unshelve(hosting.me, server)
    hosting.settled(server, "active")


POINTS = (
    *("shelve:power_off:after", "shelve:finish:after", "shelve:offload:after"),
    *("unshelve:restore:after", "unshelve:boot:after", "unshelve:forget:after"),
)


@pytest.mark.parametrize("point", POINTS)
def test_shelving_survives_the_agents_end_at(tmp_path: Path, point: str) -> None:
    hosting = Computing(tmp_path / "state", None)
    hosting.start_agent()
    server = hosting.running()
    if point.startswith("unshelve"):
        hosting.api.shelve(hosting.me, server)
        hosting.settled(server, "shelved_offloaded")
        hosting.stop_agent()
        hosting.api.unshelve(hosting.me, server)
    else:
        hosting.stop_agent()
        hosting.api.shelve(hosting.me, server)
    run_until_crash(hosting, point)
    hosting.start_agent()
    if point.startswith("unshelve"):
        assert hosting.settled(server, "active").host == HOST
        assert images(hosting) == [] and hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
    else:
        assert hosting.settled(server, "shelved_offloaded").host == ""
        assert [image.status for image in images(hosting)] == ["active"] and not hosting.driver.exists(server.uuid)
    assert hosting.operations(server)[-1].state == "done"
    hosting.close()


AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def known(cloud: Cloud) -> str:
    made = cloud.add_server("known")
    cloud.set_server(made, vm_state="active", task_state=None, power_state=1, launched_at=AT)
    return made


def test_shelving_over_the_api(cloud: Cloud, known: str) -> None:
    path = f"/servers/{known}/action"
    assert cloud("POST", path, "2.1", READER, json={"shelve": None}).status_code == 403
    assert cloud("POST", path, "2.1", "u9:p9", json={"shelve": None}).status_code == 404
    assert cloud("POST", path, "2.1", json={"shelve": None}).status_code == 202
    busy = cloud("POST", path, "2.1", json={"shelve": {}})
    assert f"Cannot 'shelve' instance {known} while it is in task_state shelving" in busy.text
    cloud.set_server(known, vm_state="shelved", task_state=None)
    assert cloud("GET", f"/servers/{known}", "2.1").json["server"]["status"] == "SHELVED"
    assert cloud("POST", path, "2.1", json={"shelveOffload": None}).status_code == 403
    assert cloud("POST", path, "2.1", ADMIN, json={"shelveOffload": None}).status_code == 202
    cloud.set_server(
        known, vm_state="shelved_offloaded", task_state=None, host="", system_metadata={"shelved_host": HOST}
    )
    shown = cloud("GET", f"/servers/{known}", "2.1", ADMIN).json["server"]
    assert (shown["status"], shown["OS-EXT-SRV-ATTR:host"], shown["hostId"]) == ("SHELVED_OFFLOADED", None, "")
    assert cloud("POST", path, "2.1", json={"os-start": None}).status_code == 409
    for version, wrong in (("2.77", {}), ("2.77", {"host": "h"}), ("2.90", {"availability_zone": None})):
        assert cloud("POST", path, version, json={"unshelve": wrong}).status_code == 400
    assert cloud("POST", path, "2.91", json={"unshelve": {"host": HOST}}).status_code == 403
    refused = cloud("POST", path, "2.77", json={"unshelve": {"availability_zone": "mars"}})
    assert refused.status_code == 400 and "The requested availability zone is not available" in refused.text
    answer = cloud("POST", path, "2.91", ADMIN, json={"unshelve": {"availability_zone": None, "host": HOST}})
    assert answer.status_code == 202
    assert cloud("GET", f"/servers/{known}", "2.1").json["server"]["OS-EXT-STS:task_state"] == "unshelving"


def test_shelving_in_the_third_major(cloud: Cloud, known: str) -> None:
    path = f"/servers/{known}/action"
    accepted = cloud("POST", path, "3.0", json={"shelve": None})
    assert accepted.status_code == 202 and "/operations/" in accepted.headers["location"]
    cloud.set_server(known, vm_state="shelved", task_state=None)
    assert cloud("POST", path, "3.0", ADMIN, json={"shelve_offload": None}).status_code == 202
    cloud.set_server(known, task_state=None)
    assert cloud("POST", path, "3.0", json={"unshelve": {"availability_zone": "nova"}}).status_code == 409
    assert cloud("POST", path, "3.0", json={"unshelve": None}).status_code == 202
