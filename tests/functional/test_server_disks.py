"""Disks of servers over HTTP, in 2.x and 3.0: what is asked for, what is refused, and what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nova_lite.db import block_devices
from nova_lite.db.tables import images
from tests.functional.cloud import ADMIN, Cloud

GIB = 1 << 30


@pytest.fixture(name="cloud")
def _cloud(tmp_path: Path) -> Any:
    cloud = Cloud(tmp_path)
    yield cloud
    cloud.close()


@pytest.fixture(name="image")
def _image(cloud: Cloud, tmp_path: Path) -> str:
    """An image with a disk that the database takes for one of 2 GiB, which would take long to import."""
    kernel, disk = tmp_path / "kernel.bin", tmp_path / "disk"
    disk.write_bytes(bytes(4096))
    image_id = cloud.images.add("disked", kernel, "flat16", disk=disk, disk_format="raw").id
    with cloud.compute.database.write() as connection:
        connection.execute(sa.update(images).where(images.c.id == image_id).values(virtual_size=2 * GIB))
    return image_id


def flavor(cloud: Cloud, disk: int, ephemeral: int = 0, swap: int = 0) -> str:
    name = f"f{disk}-{ephemeral}-{swap}"
    sizes = {"disk": disk, "OS-FLV-EXT-DATA:ephemeral": ephemeral, "swap": swap}
    wanted = {"name": name, "id": name, "ram": 16, "vcpus": 1} | sizes
    assert cloud("POST", "/flavors", token=ADMIN, json={"flavor": wanted}).status_code == 200
    return name


def sizes(cloud: Cloud, server_id: str) -> list[tuple[str, int]]:
    with cloud.compute.database.read() as connection:
        found = block_devices.of_servers(connection, [server_id]).get(server_id, [])
    return [(device.device_name, device.size) for device in found]


def test_a_server_shows_its_root_device_and_has_the_disks_of_its_flavor(cloud: Cloud, image: str) -> None:
    body = {"name": "s", "imageRef": image, "flavorRef": flavor(cloud, 5, 3, 512), "networks": "none"}
    created = cloud("POST", "/servers", "2.90", json={"server": body})
    assert created.status_code == 202, created.text
    server_id = created.json["server"]["id"]
    assert sizes(cloud, server_id) == [("/dev/vda", 5 * GIB), ("/dev/vdb", 3 * GIB), ("/dev/vdc", 512 << 20)]
    shown = cloud("GET", f"/servers/{server_id}", "2.90", ADMIN).json["server"]
    assert shown["OS-EXT-SRV-ATTR:root_device_name"] == "/dev/vda"
    listed = cloud("GET", "/servers/detail", "2.90", ADMIN, params={"root_device_name": "/dev/vda"})
    assert listed.status_code == 200


def test_3_0_takes_block_devices_in_the_same_way(cloud: Cloud, image: str) -> None:
    devices = [
        {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": image},
        {"source_type": "blank", "destination_type": "local", "volume_size": 1},
        {"source_type": "blank", "destination_type": "local", "guest_format": "swap", "volume_size": 100},
    ]
    wanted = {"name": "s", "image_ref": image, "flavor_ref": flavor(cloud, 0, 3, 512), "networks": "none"}
    created = cloud("POST", "/servers", "3.0", json={"server": wanted | {"block_devices": devices}})
    assert created.status_code == 202, created.text
    found = sizes(cloud, created.json["server"]["id"])
    assert found == [("/dev/vda", 2 * GIB), ("/dev/vdb", GIB), ("/dev/vdc", 100 << 20)]
    devices[1]["volume_size"] = 4
    refused = cloud("POST", "/servers", "3.0", json={"server": wanted | {"block_devices": devices}})
    assert refused.status_code == 400 and "Ephemeral disks requested are larger" in refused.text


def test_a_flavor_that_is_too_small_is_400_with_both_sizes(cloud: Cloud, image: str) -> None:
    body = {"name": "s", "imageRef": image, "flavorRef": flavor(cloud, 1), "networks": "none"}
    refused = cloud("POST", "/servers", "2.90", json={"server": body})
    assert refused.status_code == 400
    message = refused.json["badRequest"]["message"]
    assert f"Flavor disk is {GIB} bytes, image is {2 * GIB} bytes." in message


def test_block_devices_are_the_business_of_their_rule(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"os_compute_api:servers:create:attach_volume": "rule:context_is_admin"\n')
    cloud = Cloud(tmp_path)
    image_id = cloud.images.list()[0].id
    device = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": image_id}
    body = {"name": "s", "imageRef": image_id, "flavorRef": "42", "block_device_mapping_v2": [device]}
    assert cloud("POST", "/servers", json={"server": body}).status_code == 403
    assert cloud("POST", "/servers", token=ADMIN, json={"server": body}).status_code == 202
    cloud.close()
