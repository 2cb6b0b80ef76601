"""The embedded Volume service: what Cinder's clients do, over the block store; the agent's part is run by hand."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite import conf as conf_module
from nova_lite.compute import volume_work
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import volumes as db_volumes
from nova_lite.embedded.volume import app as volume_app
from nova_lite.hv.driver import MachineInfo, MachineNotFound, PowerState
from nova_lite.objects import BlockDevice
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, NOBODY, READER, Cloud
from tests.functional.companion import Companion

OTHER = "u9:p9:member,reader"
GIB = 1 << 30
PART = 1 << 16


class Machine:
    """A server's machine, as far as copying its disk needs it."""

    def __init__(self) -> None:
        self.state: PowerState | None = None
        self.held: list[str] = []
        self.file: Path | None = None

    def info(self, uuid: str) -> MachineInfo:
        if self.state is None:
            raise MachineNotFound(uuid)
        return MachineInfo(uuid, self.state)

    def pause(self, uuid: str) -> None:
        self.held.append("pause")
        self.state = PowerState.PAUSED

    def resume(self, uuid: str) -> None:
        self.held.append("resume")
        self.state = PowerState.RUNNING

    def log_disk(self, uuid: str, device_name: str, on: bool) -> int:
        """Its guest writes each time that somebody asks what it has written."""
        assert device_name == "vdb"
        self.held.append("watched" if on else "unwatched")
        return PART

    def written_parts(self, uuid: str, device_name: str) -> bytes:
        assert self.file is not None
        number = len(self.held)
        with open(self.file, "rb+") as file:
            os.pwrite(file.fileno(), bytes([number]) * PART, number * PART)
        return (1 << number).to_bytes(8, "little")


class Volumes(Companion):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud, volume_app)
        self.cloud, self.machine = cloud, Machine()
        store = cloud.compute.volume_store
        self._work = volume_work.VolumeWork(
            cloud.compute.database, store, self.machine, HOST, self._now  # type: ignore[arg-type]
        )

    def _now(self, server: str, job: Callable[[], None]) -> None:
        job()

    def agent(self) -> None:
        """What the agent does when it is woken."""
        self._work.work_off()

    def make(self, token: str = MEMBER, **said: Any) -> str:
        """A volume that is available; its id."""
        answer = self("POST", "/v3/volumes", token, json={"volume": {"size": 1} | said})
        assert answer.status_code == 202, answer.text
        assert answer.json["volume"]["status"] == "creating"
        self.agent()
        assert self.status(answer.json["volume"]["id"], token) == "available"
        return str(answer.json["volume"]["id"])

    def status(self, volume_id: str, token: str = MEMBER) -> str:
        return str(self("GET", f"/v3/volumes/{volume_id}", token).json["volume"]["status"])

    def file(self, volume_id: str) -> Path:
        return conf_module.paths(self.cloud.compute.conf).volume(volume_id)

    def beginning(self, volume_id: str, size: int) -> bytes:
        with open(self.file(volume_id), "rb") as file:
            return file.read(size)

    def attach(self, volume_id: str) -> str:
        """A server has it; the server's id."""
        server = self.cloud.add_server("holder")
        self.cloud.set_server(server, vm_state="active", task_state=None, host=HOST)
        device = BlockDevice(
            uuid=str(uuid.uuid4()), source_type="volume", destination_type="volume", size=GIB, device_name="/dev/vdb",
            volume_id=volume_id, attachment_id=str(uuid.uuid4()), instance_uuid=server,
        )  # fmt: skip
        with self.cloud.compute.database.write() as connection:
            db_block_devices.insert(connection, [device])
            db_volumes.update(connection, volume_id, status="in-use")
        return server


@pytest.fixture
def volumes(cloud: Cloud) -> Iterator[Volumes]:
    yield Volumes(cloud)


def test_a_volume_from_its_making_to_its_end(volumes: Volumes) -> None:
    made = volumes.make(name="data", description="d", metadata={"a": "b"})
    shown = volumes("GET", f"/v3/p1/volumes/{made}").json["volume"]
    assert {key: shown[key] for key in ("name", "description", "size", "metadata", "bootable", "attachments")} == {
        "name": "data", "description": "d", "size": 1, "metadata": {"a": "b"}, "bootable": "false", "attachments": [],
    }  # fmt: skip
    assert shown["os-vol-tenant-attr:tenant_id"] == "p1"
    assert "os-vol-host-attr:host" not in shown
    assert "os-vol-host-attr:host" in volumes("GET", f"/v3/volumes/{made}", ADMIN).json["volume"]
    assert volumes.file(made).stat().st_size == GIB
    changed = volumes("PUT", f"/v3/volumes/{made}", json={"volume": {"name": "more", "description": None}})
    assert changed.json["volume"]["name"] == "more"
    extended = volumes("POST", f"/v3/volumes/{made}/action", json={"os-extend": {"new_size": 2}})
    assert extended.status_code == 202, extended.text
    assert volumes.file(made).stat().st_size == 2 * GIB
    assert volumes("POST", f"/v3/volumes/{made}/action", json={"os-extend": {"new_size": 2}}).status_code == 400
    assert volumes("DELETE", f"/v3/volumes/{made}").status_code == 202
    assert volumes.status(made) == "deleting"
    volumes.agent()
    assert volumes("GET", f"/v3/volumes/{made}").status_code == 404
    assert not volumes.file(made).exists()


def test_snapshots_and_volumes_of_them(volumes: Volumes) -> None:
    made = volumes.make()
    volumes.file(made).write_bytes(b"before".ljust(GIB >> 10, b"\0"))
    body = {"snapshot": {"volume_id": made, "name": "s", "metadata": {"a": "b"}}}
    answer = volumes("POST", "/v3/snapshots", json=body)
    assert answer.status_code == 202, answer.text
    snapshot = answer.json["snapshot"]["id"]
    too_early = volumes("POST", "/v3/volumes", json={"volume": {"snapshot_id": snapshot}})
    assert too_early.status_code == 400
    volumes.agent()
    volumes.file(made).write_bytes(b"after")
    shown = volumes("GET", f"/v3/snapshots/{snapshot}").json["snapshot"]
    assert (shown["status"], shown["size"], shown["metadata"]) == ("available", 1, {"a": "b"})
    assert shown["os-extended-snapshot-attributes:progress"] == "100%"
    assert volumes("POST", "/v3/volumes", json={"volume": {"snapshot_id": snapshot, "size": 0}}).status_code == 400
    restored = volumes.make(snapshot_id=snapshot, size=2)
    assert volumes.beginning(restored, 7) == b"before\0"
    assert volumes.file(restored).stat().st_size == 2 * GIB
    cloned = volumes.make(source_volid=made, size=None)
    assert volumes.beginning(cloned, 6) == b"after\0"
    assert volumes("DELETE", f"/v3/volumes/{made}").status_code == 400  # it has a snapshot
    assert volumes("PUT", f"/v3/snapshots/{snapshot}", json={"snapshot": {"name": "t"}}).json["snapshot"]["name"] == "t"
    assert volumes("DELETE", f"/v3/snapshots/{snapshot}").status_code == 202
    volumes.agent()
    assert volumes("GET", f"/v3/snapshots/{snapshot}").status_code == 404
    assert volumes("DELETE", f"/v3/volumes/{made}").status_code == 202
    assert [path for path in volumes.file(made).parent.iterdir() if snapshot in path.name] == []


def test_a_snapshot_of_a_volume_in_use_is_copied_under_the_guest_and_then_holds_it(volumes: Volumes) -> None:
    made = volumes.make()
    volumes.attach(made)
    body = {"snapshot": {"volume_id": made}}
    assert volumes("POST", "/v3/snapshots", json=body).status_code == 400
    body["snapshot"]["force"] = True  # type: ignore[assignment]
    answer = volumes("POST", "/v3/snapshots", json=body)
    assert answer.status_code == 202
    volumes.machine.state = PowerState.RUNNING
    volumes.machine.file = volumes.file(made)
    volumes.agent()
    assert volumes.machine.held == ["watched", "pause", "resume", "unwatched"]
    snapshot = answer.json["snapshot"]["id"]
    assert volumes("GET", f"/v3/snapshots/{snapshot}").json["snapshot"]["status"] == "available"
    with open(conf_module.paths(volumes.cloud.compute.conf).volume_snapshot(snapshot), "rb") as file:
        assert [os.pread(file.fileno(), PART, number * PART)[-1] for number in range(4)] == [0, 1, 2, 0]


def test_a_volume_in_use_says_whose_it_is_and_stays(volumes: Volumes) -> None:
    made = volumes.make()
    server = volumes.attach(made)
    (attachment,) = volumes("GET", f"/v3/volumes/{made}").json["volume"]["attachments"]
    assert (attachment["server_id"], attachment["device"]) == (server, "/dev/vdb")
    assert volumes("DELETE", f"/v3/volumes/{made}").status_code == 400
    assert volumes("POST", f"/v3/volumes/{made}/action", json={"os-extend": {"new_size": 9}}).status_code == 400
    (listed,) = volumes("GET", "/v3/attachments").json["attachments"]
    assert volumes("GET", f"/v3/attachments/{listed['id']}").json["attachment"]["instance"] == server
    assert volumes("GET", "/v3/attachments/none").status_code == 404
    assert volumes("POST", f"/v3/volumes/{made}/action", ADMIN, json={"os-force_delete": {}}).status_code == 400


def test_what_cannot_be_made(volumes: Volumes, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong in (
        {"size": 0}, {"size": "x"}, {}, {"size": 1, "imageRef": IMAGE_ID}, {"size": 1, "availability_zone": "mars"},
        {"size": 1, "multiattach": True}, {"size": 1, "snapshot_id": "a", "source_volid": "b"}, {"size": 1 << 20},
    ):  # fmt: skip
        assert volumes("POST", "/v3/volumes", json={"volume": wrong}).status_code == 400, wrong
    for missing in ({"snapshot_id": "none"}, {"source_volid": "none"}, {"size": 1, "volume_type": "fast"}):
        assert volumes("POST", "/v3/volumes", json={"volume": missing}).status_code == 404, missing
    assert volumes("POST", "/v3/volumes", json={}).status_code == 400
    for _ in range(10):
        assert volumes("POST", "/v3/volumes", json={"volume": {"size": 1}}).status_code == 202
    refused = volumes("POST", "/v3/volumes", json={"volume": {"size": 1}})
    assert refused.status_code == 413
    assert "Maximum number of volumes allowed (10) exceeded" in refused.json["overLimit"]["message"]
    assert volumes("POST", "/v3/volumes", OTHER, json={"volume": {"size": 1}}).status_code == 202


def test_a_volume_for_which_there_is_no_room_is_in_error(volumes: Volumes) -> None:
    answer = volumes("POST", "/v3/volumes", json={"volume": {"size": 1}}).json["volume"]["id"]
    volumes.file(answer).with_suffix(".raw.new").mkdir(parents=True)  # no file can be made under that name
    volumes.agent()
    assert volumes.status(answer) == "error"
    volumes.file(answer).with_suffix(".raw.new").rmdir()
    assert volumes("DELETE", f"/v3/volumes/{answer}").status_code == 202


def test_metadata_item_by_item(volumes: Volumes) -> None:
    path = f"/v3/volumes/{volumes.make(metadata={'a': 'b'})}/metadata"
    assert volumes("POST", path, json={"metadata": {"c": "d"}}).json == {"metadata": {"a": "b", "c": "d"}}
    assert volumes("PUT", f"{path}/c", json={"meta": {"c": "e"}}).json == {"meta": {"c": "e"}}
    assert volumes("PUT", f"{path}/c", json={"meta": {"a": "e"}}).status_code == 400
    assert volumes("GET", f"{path}/c").json == {"meta": {"c": "e"}}
    assert volumes("DELETE", f"{path}/a").status_code == 200
    assert volumes("GET", f"{path}/a").status_code == 404
    assert volumes("PUT", path, json={"metadata": {"x": "y"}}).json == volumes("GET", path).json


def test_actions_that_say_something_of_a_volume(volumes: Volumes) -> None:
    made = volumes.make()
    path = f"/v3/volumes/{made}/action"
    assert volumes("POST", path, json={"os-set_bootable": {"bootable": True}}).status_code == 200
    assert volumes("GET", f"/v3/volumes/{made}").json["volume"]["bootable"] == "true"
    known = volumes("POST", path, json={"os-set_image_metadata": {"metadata": {"k": "v"}}})
    assert known.json == {"metadata": {"k": "v"}}
    assert volumes("GET", f"/v3/volumes/{made}").json["volume"]["volume_image_metadata"] == {"k": "v"}
    assert volumes("POST", path, json={"os-unset_image_metadata": {"key": "k"}}).status_code == 200
    assert volumes("POST", path, json={"os-show_image_metadata": None}).json == {"metadata": {}}
    assert volumes("POST", path, json={"os-update_readonly_flag": {"readonly": True}}).status_code == 400
    assert volumes("POST", path, json={"os-reset_status": {"status": "error"}}).status_code == 403
    assert volumes("POST", path, ADMIN, json={"os-reset_status": {"status": "error"}}).status_code == 202
    assert volumes.status(made) == "error"
    assert volumes("POST", path, ADMIN, json={"os-migrate_volume": {}}).status_code == 400


def test_lists_filters_and_pages(volumes: Volumes) -> None:
    ids = [volumes.make(name=name, metadata={"of": name}) for name in ("a", "b", "c")]

    def listed(query: str, token: str = MEMBER, path: str = "volumes/detail") -> list[str]:
        answer = volumes("GET", f"/v3/{path}?{query}", token)
        assert answer.status_code == 200, answer.text
        return [volume["id"] for volume in answer.json["volumes"]]

    assert listed("") == ids[::-1] == listed("", path="volumes")
    assert listed("sort=name:asc&limit=2") == ids[:2]
    assert listed("sort_key=name&sort_dir=asc&marker=" + ids[1]) == ids[2:]
    assert listed("name=b&status=available") == [ids[1]]
    assert listed("metadata={'of':%20'c'}") == [ids[2]]
    assert listed("", OTHER) == [] == listed("", ADMIN)
    assert listed("all_tenants=1", ADMIN) == ids[::-1]
    assert listed("all_tenants=1", OTHER) == []
    page = volumes("GET", "/v3/volumes?limit=2&with_count=True").json
    assert page["count"] == 3
    (link,) = page["volumes_links"]
    assert link["href"].endswith(f"/v3/volumes?limit=2&with_count=True&marker={ids[1]}")
    assert volumes("GET", "/v3/volumes?sort=colour").status_code == 400
    assert volumes("GET", "/v3/volumes?marker=none").status_code == 400
    summary = volumes("GET", "/v3/volumes/summary").json["volume-summary"]
    assert (summary["total_count"], summary["total_size"]) == (3, 3)
    limits = volumes("GET", "/v3/limits").json["limits"]["absolute"]
    assert (limits["maxTotalVolumes"], limits["totalVolumesUsed"], limits["totalGigabytesUsed"]) == (10, 3, 3)
    quota = volumes("GET", "/v3/os-quota-sets/p1?usage=True").json["quota_set"]
    assert quota["volumes"] == {"limit": 10, "in_use": 3, "reserved": 0}
    assert volumes("GET", "/v3/os-quota-sets/p9").status_code == 403


def test_strangers_readers_and_nobodies(volumes: Volumes) -> None:
    made = volumes.make()
    snapshot = volumes("POST", "/v3/snapshots", json={"snapshot": {"volume_id": made}}).json["snapshot"]["id"]
    for path in (f"/v3/volumes/{made}", f"/v3/snapshots/{snapshot}", f"/v3/volumes/{made}/metadata"):
        assert volumes("GET", path, OTHER).status_code == 404
        assert volumes("GET", path, READER).status_code == 200
        assert volumes("GET", path, NOBODY).status_code == 403
        assert volumes("GET", path, None).status_code == 401
    for path in (f"/v3/volumes/{made}", f"/v3/snapshots/{snapshot}"):
        assert volumes("DELETE", path, READER).status_code == 403
        assert volumes("DELETE", path, OTHER).status_code == 404
    assert volumes("POST", "/v3/snapshots", OTHER, json={"snapshot": {"volume_id": made}}).status_code == 404
    assert volumes("POST", "/v3/volumes", OTHER, json={"volume": {"source_volid": made}}).status_code == 404
    assert volumes("POST", "/v3/volumes", READER, json={"volume": {"size": 1}}).status_code == 403


def test_versions_types_and_what_is_never_there(volumes: Volumes) -> None:
    listed = volumes("GET", "/", None)
    assert listed.status_code == 300
    (version,) = volumes("GET", "/v3", None).json["versions"]
    assert (version["min_version"], version["version"]) == ("3.0", "3.27")

    def spoken(number: str) -> tuple[int, str]:
        answer = volumes("GET", "/v3/types", MEMBER, {"OpenStack-API-Version": f"volume {number}"})
        return answer.status_code, answer.headers["OpenStack-API-Version"]

    assert [spoken("3.0"), spoken("3.27"), spoken("latest")] == [
        (200, "volume 3.0"), (200, "volume 3.27"), (200, "volume 3.27"),
    ]  # fmt: skip
    assert spoken("3.28")[0] == 406
    assert spoken("x")[0] == 400
    (kind,) = volumes("GET", "/v3/types").json["volume_types"]
    assert volumes("GET", f"/v3/types/{kind['id']}").json == volumes("GET", "/v3/types/default").json
    assert volumes("GET", f"/v3/types/{kind['id']}/extra_specs").json == {"extra_specs": {}}
    assert volumes("GET", "/v3/types/none").status_code == 404
    for path, key in (("backups", "backups"), ("os-volume-transfer", "transfers"), ("messages", "messages")):
        assert volumes("GET", f"/v3/{path}").json == {key: []}
    zones = volumes("GET", "/v3/os-availability-zone").json["availabilityZoneInfo"]
    assert zones == [{"zoneName": "nova", "zoneState": {"available": True}}]
    assert volumes("GET", "/v3/os-services").status_code == 403
    assert volumes("GET", "/v3/os-services", ADMIN).json["services"][0]["state"] == "up"


def test_a_volume_of_an_image_boots_and_knows_it(volumes: Volumes, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.write_bytes(b"on the image".ljust(1 << 20, b"\0"))
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"\xf4" * 64)
    image = volumes.cloud.images.add("bootable", kernel, "flat16", disk=disk, properties={"os_distro": "x"})
    made = volumes.make(imageRef=image.id)
    assert volumes.beginning(made, 12) == b"on the image"
    shown = volumes("GET", f"/v3/volumes/{made}").json["volume"]
    assert (shown["bootable"], shown["volume_image_metadata"]["os_distro"]) == ("true", "x")
    assert shown["volume_image_metadata"]["image_id"] == image.id
    body = {
        "name": "s", "flavorRef": "42", "networks": "none",
        "block_device_mapping_v2": [
            {"boot_index": 0, "uuid": made, "source_type": "volume", "destination_type": "volume"}
        ],
    }  # fmt: skip
    assert volumes.cloud("POST", "/servers", "2.90", json={"server": body}).status_code == 202
    assert volumes.status(made) == "attaching"


def test_novas_proxy_shows_makes_and_deletes(volumes: Volumes) -> None:
    nova = volumes.cloud
    wished = {"size": 1, "display_name": "v", "metadata": {"a": "b"}}
    made = nova("POST", "/os-volumes", "2.35", json={"volume": wished})
    assert made.status_code == 200, made.text
    volume = made.json["volume"]
    assert made.headers["Location"].endswith(f"/os-volumes/{volume['id']}")
    assert {key: volume[key] for key in ("status", "size", "displayName", "attachments", "metadata")} == {
        "status": "creating", "size": 1, "displayName": "v", "attachments": [{}], "metadata": {"a": "b"},
    }  # fmt: skip
    volumes.agent()
    path = f"/os-volumes/{volume['id']}"
    assert nova("GET", path).json["volume"]["status"] == "available"
    assert nova("GET", path, "2.36").status_code == 404
    assert nova("GET", path, token=OTHER).status_code == 404
    body = {"snapshot": {"volume_id": volume["id"], "display_name": "s"}}
    snapshot = nova("POST", "/os-snapshots", "2.1", json=body).json["snapshot"]
    assert (snapshot["volumeId"], snapshot["displayName"]) == (volume["id"], "s")
    volumes.agent()
    assert nova("GET", "/os-snapshots/detail").json["snapshots"][0]["status"] == "available"
    assert nova("GET", "/os-snapshots?limit=1&offset=1").json == {"snapshots": []}
    assert nova("DELETE", path).status_code == 400  # it has a snapshot
    assert nova("DELETE", f"/os-snapshots/{snapshot['id']}").status_code == 202
    volumes.agent()
    volumes.attach(volume["id"])
    (attachment,) = nova("GET", "/os-volumes/detail").json["volumes"][0]["attachments"]
    assert (attachment["volumeId"], attachment["device"]) == (volume["id"], "/dev/vdb")
    assert nova("POST", "/os-volumes", json={"volume": {"size": 0}}).status_code == 400
    assert nova("POST", "/os-volumes", json={"volume": {"size": 1, "snapshot_id": "x"}}).status_code == 404
    assert nova("DELETE", f"/os-snapshots/{snapshot['id']}").status_code == 404


def test_what_was_cut_off_is_made_from_its_beginning(volumes: Volumes) -> None:
    made = volumes.make()
    body = {"snapshot": {"volume_id": made}}
    snapshot = volumes("POST", "/v3/snapshots", json=body).json["snapshot"]["id"]
    clone = volumes("POST", "/v3/volumes", json={"volume": {"source_volid": made}}).json["volume"]["id"]
    paths = conf_module.paths(volumes.cloud.compute.conf)
    for half in (paths.volume_snapshot(snapshot), paths.volume(clone)):  # as an agent leaves it that is killed
        half.with_suffix(f"{half.suffix}.new").write_bytes(b"half")
    volumes.agent()
    assert volumes("GET", f"/v3/snapshots/{snapshot}").json["snapshot"]["status"] == "available"
    assert volumes.status(clone) == "available"
    assert volumes.beginning(clone, 4) == bytes(4)
    assert not list(paths.volumes.glob("*.new"))
