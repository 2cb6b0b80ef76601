"""The embedded Image service: what Glance's clients do, over the image store."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nova_lite
from nova_lite.compute import image_data, named_kernels
from nova_lite.db import images as db_images
from nova_lite.embedded.image import app as image_app
from nova_lite.hv.driver import DriverError
from tests.functional.cloud import ADMIN, IMAGE_ID, MEMBER, NOBODY, READER, Cloud
from tests.functional.companion import Companion

OTHER = "u9:p9:member,reader"
OCTETS = {"Content-Type": "application/octet-stream"}
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
DATA = b"*" * 1000
GUESTS = Path(nova_lite.__file__).parent / "hv" / "guests"


@pytest.fixture
def images(cloud: Cloud) -> Iterator[Companion]:
    yield Companion(cloud, image_app)


def create(images: Companion, token: str = MEMBER, **said: Any) -> dict[str, Any]:
    body = {"name": "one", "disk_format": "raw", "container_format": "bare"} | said
    answer = images("POST", "/v2/images", token, json=body)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"].endswith(f"/v2/images/{answer.json['id']}")
    return answer.json


def upload(images: Companion, image_id: str, data: bytes = DATA, token: str = MEMBER) -> Any:
    return images("PUT", f"/v2/images/{image_id}/file", token, OCTETS, body=data)


def show(images: Companion, image_id: str) -> dict[str, Any]:
    return images("GET", f"/v2/images/{image_id}").json


def patch(images: Companion, image_id: str, *changes: dict[str, Any], token: str = MEMBER) -> Any:
    return images("PATCH", f"/v2/images/{image_id}", token, PATCH, body=json.dumps(changes))


def test_an_image_is_registered_uploaded_downloaded_and_deleted(cloud: Cloud, images: Companion) -> None:
    made = create(images, tags=["b", "a"], os_distro="debian", min_disk=1)
    assert made["status"] == "queued"
    assert made["tags"] == ["a", "b"]
    assert made["os_distro"] == "debian"
    assert (made["visibility"], made["owner"], made["protected"], made["os_hidden"]) == ("shared", "p1", False, False)
    assert made["size"] is made["checksum"] is None
    assert images("GET", f"/v2/images/{made['id']}/file").status_code == 204
    assert upload(images, made["id"]).status_code == 204
    shown = show(images, made["id"])
    assert shown["status"] == "active"
    assert shown["size"] == len(DATA)
    assert shown["checksum"] == hashlib.md5(DATA).hexdigest()
    assert shown["os_hash_value"] == hashlib.sha512(DATA).hexdigest()
    got = images("GET", f"/v2/images/{made['id']}/file")
    assert got.content == DATA
    assert got.headers["Content-MD5"] == shown["checksum"]
    assert got.headers["Content-Type"] == "application/octet-stream"
    part = images("GET", f"/v2/images/{made['id']}/file", MEMBER, {"Range": "bytes=990-"})
    assert (part.status_code, part.content) == (206, DATA[990:])
    assert part.headers["Content-Range"] == "bytes 990-999/1000"
    for wanted, status in (("bytes=1000-", 416), ("bytes=9-5", 416), ("lines=1-2", 416), ("bytes=0-1,4-5", 400)):
        answer = images("GET", f"/v2/images/{made['id']}/file", MEMBER, {"Range": wanted})
        assert answer.status_code == status, wanted
    assert upload(images, made["id"]).status_code == 409
    cloud.compute.create(
        images_context(), name="s", flavor_ref="1", image_ref=made["id"]
    )  # a server can be made of it, and it may go then
    assert images("DELETE", f"/v2/images/{made['id']}").status_code == 204
    assert images("GET", f"/v2/images/{made['id']}").status_code == 404


def images_context() -> Any:
    from nova_lite.context import RequestContext

    return RequestContext(user_id="u1", project_id="p1", roles=["member", "reader"])


def test_a_qcow2_stays_what_was_uploaded(images: Companion, cloud: Cloud) -> None:
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, 1 << 20, 0, 1, 65536, 131072, 1, 0, 0)
    qcow2 = header.ljust(65536, b"\0") + bytes(65536) + struct.pack(">Q", 196608).ljust(65536, b"\0")
    qcow2 += struct.pack(">HHHH", 1, 1, 1, 1).ljust(65536, b"\0")
    made = create(images, disk_format="qcow2")
    assert upload(images, made["id"], qcow2).status_code == 204
    shown = show(images, made["id"])
    assert (shown["disk_format"], shown["size"], shown["virtual_size"]) == ("qcow2", len(qcow2), 1 << 20)
    assert images("GET", f"/v2/images/{made['id']}/file").content == qcow2
    claimed_raw = create(images)
    refused = upload(images, claimed_raw["id"], qcow2)
    assert refused.status_code == 415
    assert "said to be raw but is qcow2" in refused.json["message"]
    assert show(images, claimed_raw["id"])["status"] == "queued"
    assert [path.name for path in cloud.images.beside("x").parent.iterdir() if ".new" in path.name] == []


def test_an_upload_that_breaks_off_leaves_a_queued_image(images: Companion, cloud: Cloud) -> None:
    made = create(images)

    class Broken:
        def read(self, size: int) -> bytes:
            assert show(images, made["id"])["status"] == "saving"
            assert upload(images, made["id"]).status_code == 409  # one at a time
            return b""

    image = cloud.compute.get_image(images_context(), made["id"])
    with pytest.raises(image_data.exceptions.Invalid, match="did not come whole"):
        cloud.compute.upload_image(images_context(), image, Broken(), 100)
    assert show(images, made["id"])["status"] == "queued"
    with cloud.compute.database.write() as connection:  # as its process would leave it when it is killed
        db_images.update(connection, made["id"], status="saving", data="data")
        image_data.recover(connection, cloud.images, image)
    assert show(images, made["id"])["status"] == "queued"
    with cloud.compute.database.write() as connection:
        db_images.update(connection, made["id"], status="saving", data="data")
    assert upload(images, made["id"]).status_code == 204  # nobody is at it: the next one may


def test_an_image_deleted_during_its_upload_is_gone(images: Companion, cloud: Cloud) -> None:
    made = create(images)

    class Deleting:
        pieces = [b"*" * 512, b""]

        def read(self, size: int) -> bytes:
            if len(self.pieces) == 2:
                assert images("DELETE", f"/v2/images/{made['id']}").status_code == 204
            return self.pieces.pop(0)

    image = cloud.compute.get_image(images_context(), made["id"])
    with pytest.raises(image_data.exceptions.Gone):
        cloud.compute.upload_image(images_context(), image, Deleting(), None)
    assert not list(cloud.images.beside("x").parent.glob(f"{made['id']}*"))


def test_what_is_wrong_with_an_upload_is_said(images: Companion) -> None:
    made = create(images, disk_format=None)
    assert upload(images, made["id"]).json["message"] == "Property disk_format must be set prior to saving data."
    wrong = images("PUT", f"/v2/images/{made['id']}/file", MEMBER, {"Content-Type": "text/plain"}, body=DATA)
    assert wrong.status_code == 415
    assert images("POST", "/v2/images", json={"disk_format": "vmdk"}).status_code == 400
    assert images("POST", "/v2/images", json={"custom": 5}).status_code == 400
    assert images("POST", "/v2/images", json={"status": "active"}).status_code == 403
    assert images("POST", "/v2/images", json={"id": IMAGE_ID}).status_code == 409
    assert images("POST", "/v2/images", json={"owner": "p2"}).status_code == 403
    assert images("POST", "/v2/images", json={"visibility": "public"}).status_code == 403
    assert images("POST", "/v2/images", ADMIN, json={"visibility": "public"}).status_code == 201


def test_patches_change_what_is_said_of_an_image(images: Companion) -> None:
    made = create(images, os_type="linux")
    answer = patch(
        images, made["id"],
        {"op": "replace", "path": "/name", "value": "two"},
        {"op": "add", "path": "/os~1kind", "value": "x"},
        {"op": "replace", "path": "/tags", "value": ["t"]},
        {"op": "remove", "path": "/os_type"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert {key: answer.json.get(key) for key in ("name", "os/kind", "tags", "os_type")} == {
        "name": "two", "os/kind": "x", "tags": ["t"], "os_type": None,
    }  # fmt: skip
    assert answer.json == show(images, made["id"])


@pytest.mark.parametrize(
    ("status", "change"),
    [
        (403, {"op": "replace", "path": "/status", "value": "active"}),
        (403, {"op": "remove", "path": "/name"}),
        (403, {"op": "add", "path": "/locations", "value": []}),
        (409, {"op": "replace", "path": "/nothing", "value": "x"}),
        (409, {"op": "remove", "path": "/nothing"}),
        (400, {"op": "move", "path": "/name", "value": "x"}),
        (400, {"op": "add", "path": "/name"}),
        (400, {"op": "add", "path": "/tags/0", "value": "x"}),
        (400, {"op": "add", "path": "name", "value": "x"}),
        (400, {"op": "replace", "path": "/min_ram", "value": "x"}),
        (400, {"op": "add", "path": "/custom", "value": 1}),
        (403, {"op": "replace", "path": "/visibility", "value": "public"}),
    ],
)
def test_a_patch_that_cannot_be(images: Companion, status: int, change: dict[str, Any]) -> None:
    answer = patch(images, create(images)["id"], change)
    assert answer.status_code == status, answer.text


def test_a_patch_has_its_own_media_type(images: Companion) -> None:
    made = create(images)
    assert images("PATCH", f"/v2/images/{made['id']}", json=[]).status_code == 415
    old = {"Content-Type": "application/openstack-images-v2.0-json-patch"}
    changed = images("PATCH", f"/v2/images/{made['id']}", MEMBER, old, body='[{"replace": "/name", "value": "x"}]')
    assert changed.json["name"] == "x"
    assert patch(images, made["id"], {"op": "replace", "path": "/disk_format", "value": "qcow2"}).status_code == 200


def test_protected_images_stay(images: Companion) -> None:
    made = create(images, protected=True)
    assert images("DELETE", f"/v2/images/{made['id']}").status_code == 403
    patch(images, made["id"], {"op": "replace", "path": "/protected", "value": False})
    assert images("DELETE", f"/v2/images/{made['id']}").status_code == 204


def test_a_stranger_finds_nothing_and_a_reader_changes_nothing(images: Companion) -> None:
    made = create(images)
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/file"), ("GET", "/members"), ("PUT", "/tags/x")):
        assert images(method, f"/v2/images/{made['id']}{path}", OTHER).status_code == 404
    for method, path in (("DELETE", ""), ("PATCH", ""), ("PUT", "/file"), ("PUT", "/tags/x"), ("DELETE", "/tags/x")):
        assert images(method, f"/v2/images/{made['id']}{path}", READER).status_code == 403
    assert images("POST", "/v2/images", READER, json={}).status_code == 403
    assert images("DELETE", f"/v2/images/{IMAGE_ID}").status_code == 403  # everybody's, and nobody's of them
    assert images("GET", "/v2/images", NOBODY).status_code == 403
    community = create(images, visibility="community")
    assert images("GET", f"/v2/images/{community['id']}", OTHER).status_code == 200
    assert community["id"] not in listed(images, token=OTHER)
    assert community["id"] in listed(images, "visibility=community", OTHER)


def listed(images: Companion, query: str = "", token: str = MEMBER) -> list[str]:
    answer = images("GET", f"/v2/images?{query}", token)
    assert answer.status_code == 200, answer.text
    return [image["id"] for image in answer.json["images"]]


def test_filters_order_and_pages(images: Companion) -> None:
    ids = [create(images, name=name, tags=["all", name], colour=name)["id"] for name in ("a,1", "b", "c")]
    hidden = create(images, name="h", os_hidden=True)["id"]
    upload(images, ids[1])
    own = "owner=p1"
    assert listed(images, own) == ids[::-1]
    assert listed(images, f"{own}&sort=name:asc") == ids
    assert listed(images, f"{own}&sort_key=name&sort_dir=asc&limit=2") == ids[:2]
    assert listed(images, f"{own}&sort=name:asc&marker={ids[0]}") == ids[1:]
    assert listed(images, 'name=in:"a,1",c&sort=name:asc') == [ids[0], ids[2]]
    assert listed(images, "tag=all&tag=b") == [ids[1]]
    assert listed(images, "colour=c") == [ids[2]]
    assert listed(images, f"status=queued&{own}") == [ids[2], ids[0]]
    assert listed(images, f"{own}&size_min=1000&size_max=1000") == [ids[1]]
    assert listed(images, f"{own}&created_at=gt:2999-01-01T00:00:00Z") == []
    assert listed(images, "os_hidden=true") == [hidden]
    assert IMAGE_ID in listed(images, "visibility=public")
    assert ids[0] not in listed(images, "visibility=private")
    page = images("GET", f"/v2/images?{own}&limit=2").json
    assert images("GET", page["next"]).json["images"][0]["id"] == ids[0]
    for wrong in ("sort_key=colour", "sort=name:up", "marker=none", "visibility=none", "limit=-1", "created_at=gt:x"):
        assert images("GET", f"/v2/images?{wrong}").status_code == 400, wrong


def test_tags_one_by_one(images: Companion) -> None:
    made = create(images)
    assert images("PUT", f"/v2/images/{made['id']}/tags/x").status_code == 204
    assert show(images, made["id"])["tags"] == ["x"]
    assert images("DELETE", f"/v2/images/{made['id']}/tags/x").status_code == 204
    assert images("DELETE", f"/v2/images/{made['id']}/tags/x").status_code == 404


def test_a_deactivated_image_is_kept_back(images: Companion, cloud: Cloud) -> None:
    made = create(images)
    assert images("POST", f"/v2/images/{made['id']}/actions/deactivate").status_code == 403
    upload(images, made["id"])
    assert images("POST", f"/v2/images/{made['id']}/actions/deactivate").status_code == 204
    assert images("GET", f"/v2/images/{made['id']}/file").status_code == 403
    body = {"server": {"name": "s", "imageRef": made["id"], "flavorRef": "42", "networks": "none"}}
    assert cloud("POST", "/servers", "2.90", json=body).status_code == 400
    assert images("POST", f"/v2/images/{made['id']}/actions/reactivate").status_code == 204
    assert images("GET", f"/v2/images/{made['id']}/file").status_code == 200


def test_what_is_not_here_says_so_as_glance_does(images: Companion) -> None:
    made = create(images)
    assert images("GET", f"/v2/images/{made['id']}/members").json["members"] == []
    assert images("GET", f"/v2/images/{IMAGE_ID}/members", ADMIN).status_code == 403
    assert images("POST", f"/v2/images/{made['id']}/import", json={"method": {"name": "x"}}).status_code == 400
    assert images("GET", "/v2/info/import").json["import-methods"]["value"] == []
    assert images("GET", "/v2/info/stores").status_code == 404
    assert images("GET", "/v2/tasks").json["tasks"] == []
    assert images("GET", f"/v2/images/{IMAGE_ID}/tasks").json == {"tasks": []}
    for name in ("image", "images", "member", "members", "task", "tasks"):
        assert images("GET", f"/v2/schemas/{name}").json["name"] == name
    assert images("GET", "/v2/schemas/none").status_code == 404
    versions = images("GET", "/versions", None)
    assert versions.status_code == 200
    assert versions.json["versions"][0]["status"] == "CURRENT"
    for path in ("/", "/v1/images"):
        assert images("GET", path, None).status_code == 300


def test_an_image_boots_the_kernel_that_it_names(images: Companion, cloud: Cloud) -> None:
    kernel = create(images, disk_format="aki", container_format="aki")
    assert upload(images, kernel["id"], b"no kernel").status_code == 415
    assert upload(images, kernel["id"], (GUESTS / "interactive.elf").read_bytes()).status_code == 204
    initramfs = create(images, disk_format="ari", container_format="ari")
    assert upload(images, initramfs["id"], b"initramfs").status_code == 204
    named = {"kernel_id": kernel["id"], "ramdisk_id": initramfs["id"], "os_command_line": "quiet"}
    made = create(images, disk_format="ami", container_format="ami", **named)
    assert upload(images, made["id"]).status_code == 204
    image = cloud.compute.get_image(images_context(), made["id"])
    with cloud.compute.database.read() as connection:
        with pytest.raises(DriverError, match="kernel_id names is not there"):
            named_kernels.resolved(connection, cloud.images, image, "p9")  # another project's are not
        found = named_kernels.resolved(connection, cloud.images, image, "p1")
    assert (found.kernel_format, found.cmdline, found.boots_from_disk) == ("elf64", "quiet", False)
    images("DELETE", f"/v2/images/{kernel['id']}")  # this one goes on all the same
    with cloud.compute.database.read() as connection:
        assert named_kernels.resolved(connection, cloud.images, image, "p1") == found
    assert cloud.images.kernel(found).read_bytes() == (GUESTS / "interactive.elf").read_bytes()
    assert cloud.images.initramfs(found).read_bytes() == b"initramfs"  # type: ignore[union-attr]


def test_novas_proxy_writes_properties_and_deletes(images: Companion, cloud: Cloud) -> None:
    made = create(images, colour="red")
    path = f"/images/{made['id']}"
    body = {"metadata": {"size": "large"}}
    assert cloud("POST", f"{path}/metadata", "2.38", json=body).json["metadata"] == {"colour": "red", "size": "large"}
    assert cloud("PUT", f"{path}/metadata/size", "2.1", json={"meta": {"size": "s"}}).json == {"meta": {"size": "s"}}
    assert cloud("PUT", f"{path}/metadata/size", "2.1", json={"meta": {"colour": "s"}}).status_code == 400
    assert cloud("DELETE", f"{path}/metadata/colour").status_code == 204
    assert cloud("DELETE", f"{path}/metadata/colour").status_code == 404
    assert show(images, made["id"])["size"] is None  # an attribute is not hidden by a property of its name
    assert cloud("PUT", f"{path}/metadata", json={"metadata": {"a": "b"}}).json == {"metadata": {"a": "b"}}
    assert cloud("PUT", f"{path}/metadata", "2.39", json={"metadata": {"a": "b"}}).status_code == 404
    assert cloud("PUT", f"{path}/metadata", token=READER, json={"metadata": {"a": "b"}}).status_code == 403
    too_many = {str(number): "x" for number in range(129)}
    assert cloud("POST", f"{path}/metadata", json={"metadata": too_many}).status_code == 403
    assert cloud("DELETE", path, "2.36").status_code == 404
    assert cloud("DELETE", f"/images/{IMAGE_ID}").status_code == 403
    assert cloud("DELETE", path, token=OTHER).status_code == 404
    assert cloud("DELETE", path, "2.35").status_code == 204
    assert cloud("DELETE", path).status_code == 404
