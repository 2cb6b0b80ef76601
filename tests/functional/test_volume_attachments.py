"""os-volume_attachments over HTTP: what each version says and takes, and what is refused."""

from __future__ import annotations

import uuid

import pytest

from nova_lite import conf as nova_lite_conf
from nova_lite.compute.block_devices import MOST_DISKS
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import volumes as db_volumes
from nova_lite.db.times import now
from nova_lite.volumes.store import VolumeStore
from tests.functional.cloud import ADMIN, HOST, NOBODY, READER, Cloud


@pytest.fixture(name="server")
def _server(cloud: Cloud) -> str:
    server_id = cloud.add_server("s")
    cloud.set_server(server_id, vm_state="active", task_state=None, launched_at=now(), host=HOST)
    return server_id


def volume(cloud: Cloud, project_id: str = "p1", **columns: str) -> str:
    paths = nova_lite_conf.paths(cloud.compute.conf)
    made = VolumeStore(cloud.compute.database, paths, cloud.images, HOST).create(1, project_id=project_id)
    if columns:
        with cloud.compute.database.write() as connection:
            db_volumes.update(connection, made.uuid, **columns)
    return made.uuid


def attach(cloud: Cloud, server_id: str, volume_id: str, version: str = "2.79", **more: object):
    body = {"volumeAttachment": {"volumeId": volume_id, **more}}
    return cloud("POST", f"/servers/{server_id}/os-volume_attachments", version, json=body)


def attached(cloud: Cloud, server_id: str, **more: object) -> str:
    volume_id = volume(cloud)
    assert attach(cloud, server_id, volume_id, **more).status_code == 200
    with cloud.compute.database.write() as connection:
        db_volumes.update(connection, volume_id, status="in-use")
    return volume_id


def status(cloud: Cloud, volume_id: str) -> str:
    with cloud.compute.database.read() as connection:
        found = db_volumes.get(connection, volume_id)
    assert found is not None
    return found.status


def test_each_version_shows_what_it_knows(cloud: Cloud, server: str) -> None:
    volume_id = volume(cloud)
    made = attach(cloud, server, volume_id, tag="data", delete_on_termination=True)
    assert made.status_code == 200
    oldest = {"id": volume_id, "volumeId": volume_id, "serverId": server, "device": "/dev/vda"}
    tagged = oldest | {"tag": "data"}
    newer = tagged | {"delete_on_termination": True}
    assert made.json == {"volumeAttachment": newer}
    path = f"/servers/{server}/os-volume_attachments"
    for version, expected in (("2.1", oldest), ("2.69", oldest), ("2.70", tagged), ("2.79", newer), ("2.88", newer)):
        assert cloud("GET", f"{path}/{volume_id}", version).json == {"volumeAttachment": expected}
        assert cloud("GET", path, version).json == {"volumeAttachments": [expected]}
    newest = cloud("GET", path, "2.104").json["volumeAttachments"][0]
    assert newest.keys() == newer.keys() - {"id"} | {"attachment_id", "bdm_uuid"}
    ours = cloud("GET", f"/servers/{server}/volume-attachments", "3.0").json["volume_attachments"]
    assert ours == [
        {
            "id": newest["attachment_id"],
            "volume_id": volume_id,
            "server_id": server,
            "device": "/dev/vda",
            "tag": "data",
            "delete_on_termination": True,
        }
    ]
    shown = cloud("GET", f"/servers/{server}", "2.3", token=ADMIN).json["server"]
    assert shown["os-extended-volumes:volumes_attached"] == [{"id": volume_id, "delete_on_termination": True}]
    detail = cloud("GET", "/servers/detail", "2.1").json["servers"][0]
    assert detail["os-extended-volumes:volumes_attached"] == [{"id": volume_id}]
    assert status(cloud, volume_id) == "attaching"


def test_from_2_101_on_an_attachment_is_accepted_without_a_body(cloud: Cloud, server: str) -> None:
    answer = attach(cloud, server, volume(cloud), "2.101")
    assert (answer.status_code, answer.text) == (202, "")
    answer = cloud(
        "POST", f"/servers/{server}/volume-attachments", "3.0", json={"volume_attachment": {"volume_id": volume(cloud)}}
    )
    assert answer.status_code == 202 and "/operations/" in answer.headers["location"]
    assert answer.json["volume_attachment"]["device"] == "/dev/vdb"


def test_a_page_of_volumes(cloud: Cloud, server: str) -> None:
    ids = [attached(cloud, server) for _ in range(3)]
    path = f"/servers/{server}/os-volume_attachments"
    assert [one["id"] for one in cloud("GET", f"{path}?limit=1&offset=1", "2.1").json["volumeAttachments"]] == [ids[1]]
    assert cloud("GET", f"{path}?color=1", "2.74").status_code == 200
    assert cloud("GET", f"{path}?color=1", "2.75").status_code == 400


@pytest.mark.parametrize(
    ("version", "body", "code", "said"),
    [
        ("2.48", {"tag": "x"}, 400, "tag"),
        ("2.78", {"delete_on_termination": True}, 400, "delete_on_termination"),
        ("2.1", {"device": "vdb"}, 400, "device"),
        ("2.1", {"volumeId": "x"}, 400, "volumeId"),
        ("2.1", {"volumeId": None}, 400, "volumeId"),
        ("2.1", {"volumeId": str(uuid.uuid4())}, 404, "could not be found"),
        ("2.49", {"tag": ""}, 400, "tag"),
    ],
)
def test_what_cannot_be_attached(
    cloud: Cloud, server: str, version: str, body: dict[str, object], code: int, said: str
) -> None:
    answer = attach(cloud, server, volume(cloud), version, **body)
    assert answer.status_code == code and said in answer.text, answer.text


def test_a_volume_belongs_to_one_project_and_one_server(cloud: Cloud, server: str) -> None:
    assert attach(cloud, server, volume(cloud, "p2")).status_code == 404
    taken = attached(cloud, server)
    answer = attach(cloud, server, taken)
    assert answer.status_code == 400 and "status must be 'available'. Currently in 'in-use'" in answer.text
    for broken in ("error", "deleting"):
        assert attach(cloud, server, volume(cloud, status=broken)).status_code == 400
    assert attach(cloud, server, volume(cloud, host="elsewhere")).status_code == 400


def test_a_server_has_so_many_disks_and_no_more(cloud: Cloud, server: str) -> None:
    for _ in range(MOST_DISKS):
        attached(cloud, server)
    one_more = volume(cloud)
    answer = attach(cloud, server, one_more)
    assert answer.status_code == 403 and "maximum allowed number of disk devices" in answer.text
    assert status(cloud, one_more) == "available"


@pytest.mark.parametrize("columns", [{"vm_state": "error"}, {"task_state": "rebooting"}, {"vm_state": "building"}])
def test_a_server_that_is_busy_or_broken_gets_none(cloud: Cloud, server: str, columns: dict[str, str]) -> None:
    had = attached(cloud, server)
    cloud.set_server(server, **columns)
    assert attach(cloud, server, volume(cloud)).status_code == 409
    assert cloud("DELETE", f"/servers/{server}/os-volume_attachments/{had}", "2.1").status_code == 409


def test_a_locked_server_is_left_alone(cloud: Cloud, server: str) -> None:
    cloud.set_server(server, locked=True, locked_by="admin")
    assert attach(cloud, server, volume(cloud)).status_code == 409


def test_detaching_says_what_stands_in_the_way(cloud: Cloud, server: str) -> None:
    path = f"/servers/{server}/os-volume_attachments"
    assert cloud("DELETE", f"{path}/{volume(cloud)}", "2.1").status_code == 404
    fresh = volume(cloud)
    attach(cloud, server, fresh)
    assert cloud("DELETE", f"{path}/{fresh}", "2.1").status_code == 400
    had = attached(cloud, server)
    for _ in range(2):
        assert cloud("DELETE", f"{path}/{had}", "2.1").status_code == 202
    assert status(cloud, had) == "detaching"
    actions = cloud("GET", f"/servers/{server}/os-instance-actions", "2.1").json["instanceActions"]
    assert [action["action"] for action in actions].count("detach_volume") == 1
    root = attached(cloud, server)
    with cloud.compute.database.write() as connection:
        connection.exec_driver_sql("UPDATE block_device_mapping SET boot_index = 0 WHERE volume_id = ?", (root,))
    answer = cloud("DELETE", f"{path}/{root}", "2.1")
    assert answer.status_code == 403 and "root device" in answer.text


def test_whether_a_volume_goes_with_its_server_can_be_changed(cloud: Cloud, server: str) -> None:
    had = attached(cloud, server, tag="data")
    path = f"/servers/{server}/os-volume_attachments/{had}"

    def put(version: str, token: str = "u1:p1", **body: object) -> int:
        wanted = {"volumeAttachment": {"volumeId": had, **body}}
        return cloud("PUT", path, version, token=token, json=wanted).status_code

    assert put("2.85", delete_on_termination=True) == 202
    assert cloud("GET", path, "2.79").json["volumeAttachment"]["delete_on_termination"] is True
    assert put("2.85", delete_on_termination=False, device="/dev/vda", tag="data", serverId=server, id=had) == 202
    assert cloud("GET", path, "2.79").json["volumeAttachment"]["delete_on_termination"] is False
    for wrong in ({"device": "/dev/vdz"}, {"tag": "x"}, {"serverId": str(uuid.uuid4())}, {"id": str(uuid.uuid4())}):
        assert put("2.85", **wrong) == 400
    assert put("2.85", volumeId=str(uuid.uuid4())) == 403  # a swap, which is the volume service's
    assert put("2.85", ADMIN, volumeId=str(uuid.uuid4())) == 409
    assert put("2.84") == 403
    assert put("2.84", ADMIN) == 409
    body = {"volume_attachment": {"delete_on_termination": True}}
    assert cloud("PUT", f"/servers/{server}/volume-attachments/{had}", "3.0", json=body).status_code == 202
    other = volume(cloud)
    missing = f"/servers/{server}/os-volume_attachments/{other}"
    assert cloud("PUT", missing, "2.85", json={"volumeAttachment": {"volumeId": other}}).status_code == 404


def test_who_may_do_what(cloud: Cloud, server: str) -> None:
    had = attached(cloud, server)
    path = f"/servers/{server}/os-volume_attachments"
    assert cloud("GET", path, "2.1", token=READER).status_code == 200
    assert cloud("GET", path, "2.1", token=NOBODY).status_code == 403
    assert cloud("DELETE", f"{path}/{had}", "2.1", token=READER).status_code == 403
    assert cloud("GET", path, "2.1", token="u9:p9").status_code == 404


def test_a_server_that_goes_without_a_host_gives_its_volumes_back(cloud: Cloud, server: str) -> None:
    stays, goes = attached(cloud, server), attached(cloud, server, delete_on_termination=True)
    cloud.set_server(server, host="")
    assert cloud("DELETE", f"/servers/{server}", "2.1").status_code == 204
    assert (status(cloud, stays), status(cloud, goes)) == ("available", "deleting")
    with cloud.compute.database.read() as connection:
        assert db_block_devices.of_servers(connection, [server]) == {}


def test_assisted_snapshots_are_accepted_for_a_volume_that_a_server_has(cloud: Cloud, server: str) -> None:
    path, service = "/os-assisted-volume-snapshots", "s1:p9:service,admin"
    volume_id = attached(cloud, server)
    wanted = {"snapshot_id": "s", "type": "qcow2", "new_file": "f", "id": "x"}
    snapshot = {"volume_id": volume_id, "create_info": wanted}
    answer = cloud("POST", path, "2.1", service, json={"snapshot": snapshot})
    assert (answer.status_code, answer.json) == (200, {"snapshot": {"id": "x", "volumeId": volume_id}})
    assert cloud("DELETE", f'{path}/x?delete_info={{"volume_id":"{volume_id}"}}', "2.1", service).status_code == 204
