"""Servers that boot from volumes, and volumes that are made with their servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite import exceptions, objects
from nova_lite.api import app
from nova_lite.db import volumes as db_volumes
from nova_lite.hv.guests import NOTHING_BOOTABLE
from tests.functional.cloud import Cloud
from tests.functional.test_crash_agent import run_until_crash
from tests.functional.test_volume_life import WithVolumes
from tests.unit.computing import eventually

GIB = 1 << 30
IMAGE = "55555555-5555-4555-8555-555555555555"
CONTENT = b"\xeb".ljust(3 << 20, b"d")


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[WithVolumes]:
    made = WithVolumes(tmp_path / "state", None)
    kernel, disk = tmp_path / "kernel", tmp_path / "disk"
    kernel.write_bytes(b"good")
    disk.write_bytes(CONTENT)
    made.store.add("disked", kernel, "flat16", image_id=IMAGE, disk=disk, disk_format="raw")
    yield made
    made.close()


def root(source: str, uuid: str, **more: Any) -> dict[str, Any]:
    return {"source_type": source, "destination_type": "volume", "uuid": uuid, "boot_index": 0, **more}


def create(hosting: WithVolumes, *devices: dict[str, Any], **more: Any) -> objects.Instance:
    wanted = {"image_ref": None, "flavor_ref": "42", "block_device_mapping_v2": list(devices)} | more
    return hosting.api.create(hosting.me, name="s", **wanted)[0]


def volumes_of(hosting: WithVolumes, server: objects.Instance) -> list[objects.BlockDevice]:
    return hosting.api.volume_attachments(hosting.me, [server.uuid]).get(server.uuid, [])


def begins_with_image(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(len(CONTENT)) == CONTENT


def test_a_server_boots_from_a_volume_that_there_is(hosting: WithVolumes) -> None:
    hosting.start_agent()
    volume_id = hosting.store_of_volumes().create(2, project_id="p1", image_id=IMAGE).uuid
    server = hosting.settled(create(hosting, root("volume", volume_id)), "active")
    spec = hosting.driver.specs[server.uuid]
    (disk,) = spec.disks
    assert (disk.device_name, disk.path, disk.size, disk.boot_index) == (
        "vda",
        hosting.paths.volume(volume_id),
        2 * GIB,
        0,
    )
    assert spec.kernel == hosting.paths.images / IMAGE / "kernel" and server.image_ref == ""
    assert hosting.status(volume_id) == "in-use"
    with pytest.raises(exceptions.Forbidden, match="root device"):
        hosting.api.detach_volume(hosting.me, server, volume_id)
    hosting.store.remove(IMAGE)  # the volume needs its kernel
    hosting.api.reboot(hosting.me, server, hard=True)
    hosting.settled(server, "active")
    hosting.api.delete(hosting.me, server)
    hosting.is_(volume_id, "available")


def test_volumes_are_made_with_their_server_and_go_as_they_were_told(hosting: WithVolumes) -> None:
    hosting.start_agent()
    data = {"source_type": "blank", "destination_type": "volume", "volume_size": 3, "tag": "data"}
    server = create(hosting, root("image", IMAGE, volume_size=1, delete_on_termination=True), data)
    hosting.settled(server, "active")
    first, second = volumes_of(hosting, server)
    assert first.volume_id and second.volume_id and second.tag == "data"
    assert [disk.size for disk in hosting.driver.specs[server.uuid].disks] == [GIB, 3 * GIB]
    assert begins_with_image(hosting.paths.volume(first.volume_id))
    assert hosting.paths.volume(second.volume_id).stat().st_size == 3 * GIB
    assert [hosting.status(one.volume_id) for one in (first, second)] == ["in-use", "in-use"]
    hosting.api.delete(hosting.me, server)
    hosting.is_(first.volume_id, None)
    hosting.is_(second.volume_id, "available")


def test_an_image_on_a_local_disk_goes_with_volumes_beside_it(hosting: WithVolumes) -> None:
    hosting.start_agent()
    volume_id = hosting.volume()
    local = {"source_type": "image", "destination_type": "local", "uuid": IMAGE, "boot_index": 0}
    beside = {"source_type": "volume", "destination_type": "volume", "uuid": volume_id, "boot_index": -1}
    server = hosting.settled(create(hosting, local, beside, image_ref=IMAGE), "active")
    assert [disk.format for disk in hosting.driver.specs[server.uuid].disks] == ["overlay", "raw"]
    legacy = hosting.volume()
    other = create(hosting, image_ref=IMAGE, block_device_mapping_v2=None, block_device_mapping=[{"volume_id": legacy}])
    hosting.settled(other, "active")
    assert [one.volume_id for one in volumes_of(hosting, other)] == [legacy]


def test_an_empty_volume_is_the_root_of_a_server_whose_image_is_named(hosting: WithVolumes) -> None:
    hosting.start_agent()
    empty = hosting.volume()
    server = hosting.settled(create(hosting, root("volume", empty), image_ref=IMAGE), "active")
    spec = hosting.driver.specs[server.uuid]
    assert [disk.path for disk in spec.disks] == [hosting.paths.volume(empty)]
    assert spec.kernel == hosting.paths.images / IMAGE / "kernel"


def test_what_cannot_be_booted_from(hosting: WithVolumes) -> None:
    hosting.know_host()
    empty = hosting.volume()
    used = hosting.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    foreign = hosting.store_of_volumes().create(1, project_id="p2", image_id=IMAGE).uuid
    with hosting.database.write() as connection:
        db_volumes.update(connection, used, status="in-use")
    good = hosting.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    for devices, more, reason in (
        ([root("volume", empty)], {}, "is not bootable"),
        ([root("volume", used)], {}, "Currently in 'in-use'"),
        ([root("volume", foreign)], {}, "failed to get volume"),
        ([root("volume", IMAGE)], {}, "failed to get volume"),
        ([root("image", empty, volume_size=1)], {}, "Can not find requested image"),
        ([root("image", IMAGE)], {}, "non-zero size"),
        ([root("image", IMAGE, volume_size=1 << 20)], {}, "from 1 to"),
        ([root("image", "11111111-1111-4111-8111-111111111111", volume_size=1)], {}, "has no disk"),
        ([root("volume", good)], {"max_count": 2}, "Cannot attach one or more volumes to multiple instances"),
        ([root("volume", good), root("volume", good, boot_index=1)], {}, "listed twice"),
        ([root("volume", good, guest_format="swap")], {}, "guest_format"),
    ):
        with pytest.raises(exceptions.Invalid, match=reason):
            create(hosting, *devices, **more)
    assert hosting.status(good) == "available"
    many = [{"source_type": "blank", "destination_type": "volume", "volume_size": 1}] * 15
    with pytest.raises(exceptions.Invalid, match="maximum allowed number of disk devices"):
        create(hosting, root("volume", good), *many)


@pytest.mark.parametrize("point", ["create:prepare:before", "create:prepare:after", "create:boot:after"])
def test_a_server_with_its_volume_survives_the_agents_end_at(hosting: WithVolumes, point: str) -> None:
    hosting.know_host()
    server = create(hosting, root("image", IMAGE, volume_size=1))
    (device,) = volumes_of(hosting, server)
    assert device.volume_id and hosting.status(device.volume_id) == "creating"
    run_until_crash(hosting, point)
    hosting.start_agent()
    hosting.settled(server, "active")
    hosting.is_(device.volume_id, "in-use")
    assert begins_with_image(hosting.paths.volume(device.volume_id))


def test_a_volume_that_could_not_be_made_goes_with_its_server(hosting: WithVolumes) -> None:
    hosting.start_agent()
    os.chmod(hosting.paths.volumes, 0o700)
    hosting.paths.volumes.rmdir()
    hosting.paths.volumes.write_text("in the way")
    server = create(hosting, root("image", IMAGE, volume_size=1))
    failed = hosting.settled(server, "error")
    assert failed.fault is not None and "cannot be made" in failed.fault.message
    (device,) = volumes_of(hosting, server)
    hosting.paths.volumes.unlink()
    hosting.paths.volumes.mkdir()
    hosting.api.delete(hosting.me, server)
    hosting.is_(str(device.volume_id), None)


def test_every_version_says_that_there_is_no_image(hosting: WithVolumes, cloud: Cloud) -> None:
    hosting.start_agent()
    volume_id = hosting.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    server = hosting.settled(create(hosting, root("volume", volume_id)), "active")
    hosting.conf.set_override("auth_strategy", "noauth2", group="api")
    client = type(cloud._client)(app.build(hosting.conf, hosting.api))
    for version, prefix, image in (("2.1", "/v2.1", ""), ("2.98", "/v2.1", ""), ("3.0", "/v3", None)):
        headers = {"X-Auth-Token": "u1:p1", "OpenStack-API-Version": f"compute {version}"}
        shown = client.simulate_get(f"{prefix}/servers/{server.uuid}", headers=headers)
        assert shown.status_code == 200 and shown.json["server"]["image"] == image, shown.text


def test_a_server_boots_from_a_volume_that_is_made_of_a_snapshot(hosting: WithVolumes) -> None:
    hosting.start_agent()
    volume_id = hosting.store_of_volumes().create(2, project_id="p1", image_id=IMAGE).uuid
    snapshot = hosting.api.create_volume_snapshot(hosting.me, volume_id).uuid
    eventually(lambda: hosting.api.get_volume_snapshot(hosting.me, snapshot).status == "available", "it is there")
    for wrong, reason in (
        (root("snapshot", "0" * 32), "failed to get snapshot"),
        (root("snapshot", snapshot, volume_size=1), "smaller"),
        (root("snapshot", snapshot, destination_type="local"), "snapshot to local"),
    ):
        with pytest.raises(exceptions.Invalid, match=reason):
            create(hosting, wrong)
    server = hosting.settled(create(hosting, root("snapshot", snapshot)), "active")
    (device,) = volumes_of(hosting, server)
    made = hosting.api.get_volume(hosting.me, str(device.volume_id))
    assert (made.snapshot_id, made.image_id, made.size_gb, made.status) == (snapshot, IMAGE, 2, "in-use")
    assert begins_with_image(hosting.paths.volume(made.uuid))
    assert hosting.driver.specs[server.uuid].kernel == hosting.paths.images / IMAGE / "kernel"


def test_an_empty_root_volume_needs_no_image(hosting: WithVolumes) -> None:
    hosting.start_agent()
    blank = {"source_type": "blank", "destination_type": "volume", "volume_size": 1, "boot_index": 0}
    server = hosting.settled(create(hosting, blank | {"volume_type": "__DEFAULT__"}), "active")
    assert [disk.boot_index for disk in hosting.driver.specs[server.uuid].disks] == [0]
    assert hosting.driver.specs[server.uuid].kernel == NOTHING_BOOTABLE
    with pytest.raises(exceptions.Invalid, match="Volume type fast could not be found"):
        create(hosting, blank | {"volume_type": "fast"})
    with pytest.raises(exceptions.Invalid, match="same device name as the root device vda"):
        create(hosting, blank | {"boot_index": -1, "device_name": "/dev/vda"}, image_ref=IMAGE)
