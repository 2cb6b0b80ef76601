"""Images and their metadata: Nova's proxy until 2.35 (2.38), and again in 3.0."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.functional.cloud import ADMIN, IMAGE_ID, MEMBER, NOBODY, PRIVATE_IMAGE_ID, Cloud

OWNER = "u9:p2"
FULL = {
    *("id", "name", "links", "minRam", "minDisk", "metadata", "created", "updated", "status", "progress"),
    "OS-EXT-IMG-SIZE:size",
}
FULL_3_0 = {
    *("id", "name", "links", "status", "visibility", "size", "min_ram", "min_disk", "kernel_format", "properties"),
    *("created_at", "updated_at"),
}


def listed(cloud: Cloud, query: str = "", version: str = "2.1", token: str = MEMBER) -> list[str]:
    answer = cloud("GET", f"/images{query}", version, token)
    assert answer.status_code == 200, answer.text
    return [image["name"] for image in answer.json["images"]]


@pytest.mark.parametrize(("version", "keys"), [("2.1", FULL), ("2.35", FULL), ("3.0", FULL_3_0)])
def test_what_an_image_shows(cloud: Cloud, version: str, keys: set[str]) -> None:
    shown = cloud("GET", f"/images/{PRIVATE_IMAGE_ID}", version, OWNER).json["image"]
    assert set(shown) == keys
    assert shown in cloud("GET", "/images/detail", version, OWNER).json["images"]
    for image in cloud("GET", "/images", version).json["images"]:
        assert set(image) == {"id", "name", "links"}


def test_values_in_novas_words(cloud: Cloud) -> None:
    image = cloud("GET", f"/images/{IMAGE_ID}").json["image"]
    assert (image["status"], image["progress"], image["OS-EXT-IMG-SIZE:size"]) == ("ACTIVE", 100, 64)
    assert image["metadata"] == {"os_distro": "none", "auto_disk_config": "True"}
    assert image["OS-DCF:diskConfig"] == "AUTO"
    assert datetime.fromisoformat(image["created"]).tzinfo == UTC
    rels = {link["rel"]: link for link in image["links"]}
    assert urlsplit(rels["self"]["href"]).path == f"/v2.1/images/{IMAGE_ID}"
    assert urlsplit(rels["bookmark"]["href"]).path == f"/images/{IMAGE_ID}"
    assert rels["alternate"]["type"] == "application/vnd.openstack.image"


def test_an_image_of_a_server_shows_the_server(cloud: Cloud) -> None:
    server_id = "7d4f6f34-2d4f-4b43-8d1c-3c1f0f4b4a10"
    kernel = cloud.images.kernel(cloud.images.list()[0])
    cloud.images.add("snapshot", kernel, "flat16", properties={"instance_uuid": server_id, "image_type": "snapshot"})
    (image,) = cloud("GET", f"/images/detail?server=http://host/servers/{server_id}").json["images"]
    assert image["server"]["id"] == server_id
    assert [link["rel"] for link in image["server"]["links"]] == ["self", "bookmark"]
    assert listed(cloud, "?type=snapshot") == ["snapshot"]


def test_private_images_are_for_their_project(cloud: Cloud) -> None:
    assert listed(cloud) == listed(cloud, version="3.0") == ["halting"]
    assert listed(cloud, token=OWNER) == listed(cloud, token=ADMIN) == ["halting", "secret"]
    for version in ("2.1", "3.0"):
        assert cloud("GET", f"/images/{PRIVATE_IMAGE_ID}", version).status_code == 404
        assert cloud("GET", f"/images/{PRIVATE_IMAGE_ID}", version, OWNER).status_code == 200
    assert cloud("GET", f"/images/{PRIVATE_IMAGE_ID}/metadata").status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?name=secret", ["secret"]),
        ("?status=ACTIVE", ["halting", "secret"]),
        ("?status=DELETED", []),
        ("?minRam=64", ["secret"]),
        ("?minDisk=5", []),
        ("?changes-since=2020-01-01T00:00:00Z", ["halting", "secret"]),
        ("?changes-since=2999-01-01T00:00:00", []),
        ("?property-os_distro=none", ["halting"]),
        ("?property-os_distro=none&property-x=y", []),
        ("?colour=red", ["halting", "secret"]),
        ("?page_size=5&offset=1", ["halting", "secret"]),
    ],
)
def test_filters(cloud: Cloud, query: str, found: list[str]) -> None:
    assert listed(cloud, query, token=OWNER) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?name=secret", ["secret"]),
        ("?status=active", ["halting", "secret"]),
        ("?min_ram=64", ["secret"]),
        ("?changes_since=2020-01-01T00:00:00Z", ["halting", "secret"]),
    ],
)
def test_filters_of_3_0(cloud: Cloud, query: str, found: list[str]) -> None:
    assert listed(cloud, query, "3.0", OWNER) == found


@pytest.mark.parametrize(
    "query", ["?minRam=x", "?changes-since=yesterday", "?changes-since=", "?limit=-1", "?marker=none"]
)
def test_bad_queries(cloud: Cloud, query: str) -> None:
    answer = cloud("GET", f"/images{query}")
    assert answer.status_code == 400
    assert query[1:].partition("=")[0] in answer.json["badRequest"]["message"]


def test_3_0_refuses_what_it_does_not_know(cloud: Cloud) -> None:
    for query in ("?colour=red", "?property-a=b", "?status=ACTIVE", "?changes_since=yesterday"):
        assert cloud("GET", f"/images{query}", "3.0").status_code == 400


def test_pages(cloud: Cloud) -> None:
    for version, key in (("2.1", "images_links"), ("3.0", "links")):
        page = cloud("GET", "/images/detail?limit=1", version, OWNER).json
        (link,) = page[key]
        assert urlsplit(link["href"]).path.endswith("/images/detail")
        rest: Any = cloud("GET", f"/images/detail?{urlsplit(link['href']).query}", version, OWNER).json
        assert [image["name"] for image in page["images"] + rest["images"]] == ["halting", "secret"]


@pytest.mark.parametrize("rest", ["", "/detail", f"/{IMAGE_ID}"])
def test_the_proxy_ends_at_2_35(cloud: Cloud, rest: str) -> None:
    assert cloud("GET", f"/images{rest}", "2.35").status_code == 200
    for version in ("2.36", "2.104"):
        gone = cloud("GET", f"/images{rest}", version)
        assert gone.status_code == 404
        assert "2.1 to 2.35" in gone.json["itemNotFound"]["message"]


def test_metadata_until_2_38(cloud: Cloud) -> None:
    for version in ("2.1", "2.38"):
        found = cloud("GET", f"/images/{IMAGE_ID}/metadata", version).json
        assert found == {"metadata": {"os_distro": "none", "auto_disk_config": "True"}}
        one = cloud("GET", f"/images/{IMAGE_ID}/metadata/os_distro", version)
        assert one.json == {"meta": {"os_distro": "none"}}
        assert cloud("GET", f"/images/{IMAGE_ID}/metadata/none", version).status_code == 404
    assert cloud("GET", f"/images/{IMAGE_ID}/metadata", "2.39").status_code == 404
    assert cloud("GET", f"/images/{IMAGE_ID}/metadata/os_distro", "2.39").status_code == 404


def test_unknown_and_malformed_ids_and_who_may_look(cloud: Cloud) -> None:
    for image_id in ("0b1f3d2e-8a55-4d8c-9c34-0d6a1f0a7cff", "x", "%00"):
        assert cloud("GET", f"/images/{image_id}").status_code == 404
    assert cloud("GET", "/images", "2.1", NOBODY).status_code == 200
