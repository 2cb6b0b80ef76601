"""createImage: what each version says, and images of servers that boot, through the agent's ends and a full disk."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite import exceptions, objects
from nova_lite.compute import live_copy
from nova_lite.db import images as db_images
from nova_lite.db.times import now
from nova_lite.disks import overlay
from nova_lite.disks.overlay_format import GRANULE
from nova_lite.hv.driver import PowerState
from tests.functional.cloud import HOST, READER, Cloud
from tests.functional.disk_driver import DiskDriver, DriverWithDisks
from tests.functional.test_crash_agent import crash_points, run_until_crash
from tests.functional.test_volume_boot import CONTENT, IMAGE, root
from tests.functional.test_volume_life import WithVolumes
from tests.unit.computing import eventually

WRITTEN = b"guest".ljust(GRANULE, b"!")


class WithImages(WithVolumes):
    def image(self, image_id: str) -> objects.Image:
        with self.database.read() as connection:
            found = db_images.get(connection, image_id)
        assert found is not None
        return found

    def becomes_image(self, image_id: str, status: str) -> objects.Image:
        eventually(lambda: self.image(image_id).status == status, f"the image is {status}")
        return self.image(image_id)

    def write(self, server: objects.Instance) -> None:
        """As its guest would: a granule at 1 MiB."""
        path = self.paths.disk(server.uuid, "vda")
        with overlay.open_view(path, self.store.disk(self.image(IMAGE))) as view:
            header = view.header
        fd = os.open(path, os.O_RDWR)
        number = (1 << 20) // GRANULE
        os.pwrite(fd, WRITTEN, header.data_offset + (1 << 20))
        bits = os.pread(fd, 1, header.bitmap_offset + number // 8)[0] | 1 << number % 8
        os.pwrite(fd, bytes([bits]), header.bitmap_offset + number // 8)
        os.close(fd)

    def server(self) -> objects.Instance:
        made = self.settled(self.create(image_ref=IMAGE, flavor_ref="1"), "active")
        self.write(made)
        return made


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[WithImages]:
    made = WithImages(tmp_path / "state", None)
    made.driver = DriverWithDisks(made.paths.state / "machines")
    kernel, disk = tmp_path / "kernel", tmp_path / "disk"
    kernel.write_bytes(b"good")
    disk.write_bytes(CONTENT)
    properties = {"os_distro": "debian"}
    made.store.add(
        "disked", kernel, "flat16", image_id=IMAGE, disk=disk, disk_format="raw", cmdline="", properties=properties
    )
    yield made
    made.close()


def disk_of(hosting: WithImages, image: objects.Image) -> tuple[bytes, bytes]:
    """Its beginning and what lies at 1 MiB."""
    path = hosting.store.disk(image)
    assert path is not None and path.stat().st_mode & 0o777 == 0o400
    with open(path, "rb") as file:
        return file.read(16), os.pread(file.fileno(), len(WRITTEN), 1 << 20)


def test_an_image_of_a_server_has_what_it_wrote_and_boots(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.server()
    image_id = hosting.api.create_image(hosting.me, server, "snap", {"purpose": "test"})
    image = hosting.becomes_image(image_id, "active")
    assert hosting.settled(server, "active").task_state is None
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
    assert disk_of(hosting, image) == (CONTENT[:16], WRITTEN)
    assert image.virtual_size == 1 << 30 and image.size > 1 << 30 and image.min_disk == 1
    assert (image.visibility, image.project_id, image.name) == ("private", "p1", "snap")
    assert image.properties == {
        "os_distro": "debian",
        "purpose": "test",
        "image_type": "snapshot",
        "instance_uuid": server.uuid,
        "base_image_ref": IMAGE,
        "owner_id": "p1",
        "user_id": "u1",
        "boot_roles": ",".join(hosting.me.roles),
        "image_location": "snapshot",
        "image_state": "available",
    }
    copy = hosting.settled(hosting.create(image_ref=image_id, flavor_ref="1"), "active")
    (disk,) = hosting.driver.specs[copy.uuid].disks
    assert disk.backing == hosting.store.disk(image)
    assert hosting.driver.specs[copy.uuid].kernel.read_bytes() == b"good"
    assert not hosting.store.beside(image_id).exists()


def test_without_disks_of_its_own_a_server_gives_its_images_disk(hosting: WithImages) -> None:
    hosting.driver = DiskDriver(hosting.paths.state / "no-disks")
    hosting.start_agent()
    server = hosting.settled(hosting.create(image_ref=IMAGE, flavor_ref="1"), "active")
    image = hosting.becomes_image(hosting.api.create_image(hosting.me, server, "snap"), "active")
    path = hosting.store.disk(image)
    assert path is not None and path.read_bytes() == CONTENT
    assert (image.disk_format, image.container_format) == ("raw", "bare")


@pytest.mark.parametrize(("verb", "state"), [("stop", "stopped"), ("pause", "paused")])
def test_a_server_that_does_not_run_stays_as_it_is(hosting: WithImages, verb: str, state: str) -> None:
    hosting.start_agent()
    server = hosting.server()
    getattr(hosting.api, verb)(hosting.me, server)
    hosting.settled(server, state)
    image = hosting.becomes_image(hosting.api.create_image(hosting.me, server, "snap"), "active")
    assert disk_of(hosting, image)[1] == WRITTEN
    hosting.settled(server, state)
    assert [verb for verb, _ in hosting.driver.calls].count("pause") == (1 if verb == "pause" else 0)


def test_a_server_on_a_volume_gives_an_image_too(hosting: WithImages) -> None:
    hosting.start_agent()
    volume_id = hosting.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    server = hosting.api.create(
        hosting.me, name="s", flavor_ref="42", image_ref=None, block_device_mapping_v2=[root("volume", volume_id)]
    )[0]
    hosting.settled(server, "active")
    image = hosting.becomes_image(hosting.api.create_image(hosting.me, server, "snap"), "active")
    assert disk_of(hosting, image)[0] == CONTENT[:16]


def test_a_server_without_a_disk_gives_its_kernel(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.running()
    image = hosting.becomes_image(hosting.api.create_image(hosting.me, server, "snap"), "active")
    assert image.disk is None and hosting.store.kernel(image).read_bytes() == b"good"
    hosting.running(image_ref=image.id)


def test_a_full_disk_costs_the_image_and_nothing_else(hosting: WithImages, monkeypatch: pytest.MonkeyPatch) -> None:
    hosting.start_agent()
    server = hosting.server()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(live_copy, "copy_with_holes", full)
        image_id = hosting.api.create_image(hosting.me, server, "snap")
        hosting.becomes_image(image_id, "killed")
        found = hosting.settled(server, "active")
    assert found.fault is not None and "no space left" in found.fault.message
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
    assert not hosting.store.beside(image_id).exists()
    with pytest.raises(exceptions.Invalid, match="is not active"):
        hosting.create(image_ref=image_id, flavor_ref="1")
    hosting.becomes_image(hosting.api.create_image(hosting.me, server, "again"), "active")


def test_a_server_that_is_deleted_meanwhile_takes_the_unfinished_image_along(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.stop_agent()
    image_id = hosting.api.create_image(hosting.me, server, "snap")
    hosting.api.delete(hosting.me, server)
    hosting.start_agent()
    hosting.becomes_image(image_id, "killed")


def test_of_backups_the_newest_stay(hosting: WithImages) -> None:
    hosting.start_agent()
    server = hosting.server()
    plain = hosting.api.create_image(hosting.me, server, "no backup")
    hosting.becomes_image(plain, "active")
    made = []
    for number, kind in enumerate(("daily", "daily", "weekly", "daily")):
        hosting.settled(server, "active")
        made.append(hosting.api.create_backup(hosting.me, server, f"b{number}", kind, 2))
        hosting.becomes_image(made[-1], "active")
    hosting.settled(server, "active")
    left = {image.id for image in hosting.store.list()}
    assert left >= {plain, IMAGE, *made[1:]} and made[0] not in left
    assert not (hosting.paths.images / made[0]).exists()
    assert hosting.image(made[3]).properties["backup_type"] == "daily"
    hosting.api.create_backup(hosting.me, server, "none", "daily", 0)
    hosting.settled(server, "active")
    left = {image.id for image in hosting.store.list() if image.properties.get("backup_type")}
    assert left == {made[2]}


@pytest.mark.parametrize("point", ["createBackup:rotate:before", "createBackup:rotate:after"])
def test_an_accepted_backup_survives_the_agents_end_at(hosting: WithImages, point: str) -> None:
    hosting.start_agent()
    server = hosting.server()
    first = hosting.api.create_backup(hosting.me, server, "first", "daily", 1)
    hosting.becomes_image(first, "active")
    hosting.settled(server, "active")
    hosting.stop_agent()
    second = hosting.api.create_backup(hosting.me, server, "second", "daily", 1)
    run_until_crash(hosting, point)
    hosting.start_agent()
    hosting.settled(server, "active")
    assert {image.id for image in hosting.store.list() if image.properties.get("backup_type")} == {second}
    assert not hosting.store.beside(second).exists()
    assert disk_of(hosting, hosting.image(second)) == (CONTENT[:16], WRITTEN)


@pytest.mark.parametrize("point", crash_points("createImage"))
def test_an_accepted_image_survives_the_agents_end_at(hosting: WithImages, point: str) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.stop_agent()
    image_id = hosting.api.create_image(hosting.me, server, "snap")
    run_until_crash(hosting, point)
    hosting.start_agent()
    image = hosting.becomes_image(image_id, "active")
    assert disk_of(hosting, image) == (CONTENT[:16], WRITTEN)
    hosting.settled(server, "active")
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING


# -- over HTTP --------------------------------------------------------------------------------------------------------


@pytest.fixture(name="known")
def _known(cloud: Cloud) -> str:
    server_id = cloud.add_server("s")
    cloud.set_server(server_id, vm_state="active", task_state=None, launched_at=now(), host=HOST)
    return server_id


def create(cloud: Cloud, server_id: str, version: str, token: str = "u1:p1", **wanted: object):
    body = {"createImage": {"name": "snap", **wanted}}
    return cloud("POST", f"/servers/{server_id}/action", version, token=token, json=body)


def test_the_image_is_named_in_a_header_until_2_44_and_in_the_body_from_2_45_on(cloud: Cloud, known: str) -> None:
    answer = create(cloud, known, "2.44")
    assert (answer.status_code, answer.text) == (202, "")
    image_id = answer.headers["location"].rpartition("/images/")[2]
    shown = cloud("GET", f"/images/{image_id}", "2.1").json["image"]
    assert (shown["status"], shown["name"], shown["metadata"]["image_type"]) == ("SAVING", "snap", "snapshot")
    assert cloud("GET", f"/servers/{known}", "2.1").json["server"]["OS-EXT-STS:task_state"] == "image_snapshot_pending"
    assert create(cloud, known, "2.45").status_code == 409
    cloud.set_server(known, task_state=None)
    answer = create(cloud, known, "2.45")
    assert answer.status_code == 202 and set(answer.json) == {"image_id"}
    cloud.set_server(known, task_state=None)
    body = {"create_image": {"name": "snap"}}
    answer = cloud("POST", f"/servers/{known}/action", "3.0", json=body)
    assert answer.status_code == 202 and "/operations/" in answer.headers["location"] and answer.json["image_id"]


def test_what_a_caller_says_of_an_image_stands_but_for_what_work_goes_by(cloud: Cloud, known: str) -> None:
    given = {"image_type": "test", "instance_uuid": "none"}
    image = create(cloud, known, "2.45", metadata=given).json["image_id"]
    kept = cloud("GET", f"/images/{image}", "2.35").json["image"]["metadata"]
    assert (kept["image_type"], kept["instance_uuid"]) == ("test", known)  # the second is what work goes by


def test_what_makes_no_image(cloud: Cloud, known: str) -> None:
    assert create(cloud, known, "2.1", name="").status_code == 400
    assert create(cloud, known, "2.1", color="red").status_code == 400
    assert create(cloud, known, "2.1", metadata={"a": 1}).status_code == 400
    many = {str(n): "x" for n in range(129)}
    assert create(cloud, known, "2.38", metadata=many).status_code == 403
    assert create(cloud, known, "2.39", metadata=many).status_code == 202  # the quota was Nova's own
    assert create(cloud, known, "2.1", token=READER).status_code == 403
    assert create(cloud, known, "2.1", token="u9:p9").status_code == 404
    cloud.set_server(known, vm_state="error")
    assert create(cloud, known, "2.1").status_code == 409


def test_a_lock_does_not_keep_a_server_from_being_copied(cloud: Cloud, known: str) -> None:
    cloud.set_server(known, locked=True, locked_by="admin")
    assert create(cloud, known, "2.1").status_code == 202


def test_a_backup_is_named_unless_none_is_kept(cloud: Cloud, known: str) -> None:
    def backup(version: str, token: str = "u1:p1", **wanted: object):
        cloud.set_server(known, task_state=None)
        body = {"createBackup": {"name": "b", "backup_type": "daily", "rotation": 1, **wanted}}
        return cloud("POST", f"/servers/{known}/action", version, token=token, json=body)

    assert "/images/" in backup("2.1").headers["location"]
    assert cloud("GET", f"/servers/{known}", "2.1").json["server"]["OS-EXT-STS:task_state"] == "image_backup"
    assert set(backup("2.45", rotation="2").json) == {"image_id"}
    none = backup("2.1", rotation=0)
    assert none.status_code == 202 and "location" not in none.headers
    assert set(backup("2.45", rotation=0).json) == {"image_id"}  # which is gone when the work is done
    for wrong in ({"rotation": -1}, {"rotation": "x"}, {"backup_type": None}, {"name": ""}, {"color": 1}):
        assert backup("2.1", **wrong).status_code == 400
    assert backup("2.1", token=READER).status_code == 403
    cloud.set_server(known, image_ref="")
    answer = backup("2.1")
    assert answer.status_code == 400 and "volume-backed" in answer.text
