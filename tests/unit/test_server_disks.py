"""The disks of servers: what follows from flavor, image and request, their rows, and what the driver is told."""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from nova_lite import exceptions, objects
from nova_lite.cli.main import main
from nova_lite.compute import block_devices
from nova_lite.compute.server_disks import swap_header
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import instances as db_instances
from nova_lite.db.tables import images
from nova_lite.disks import overlay
from nova_lite.hv.driver import DiskSpec, MachineSpec
from tests.unit.computing import HOST, Computing, eventually

GIB, MIB = 1 << 30, 1 << 20


@pytest.fixture(name="hosting")
def _hosting(tmp_path: Path) -> Iterator[Computing]:
    made = Computing(tmp_path / "state", None, quota={"instances": -1, "ram": -1, "cores": -1})
    yield made
    made.close()


def image_with_disk(hosting: Computing, size: int = 3 * MIB + 512, **options: Any) -> objects.Image:
    state = hosting.paths.state
    kernel, disk = state / "kernel", state / "disk"
    kernel.write_bytes(b"good")
    disk.write_bytes(b"\xeb".ljust(size, b"d"))
    return hosting.store.add("disked", kernel, "flat16", disk=disk, disk_format="raw", **options)


def flavor(hosting: Computing, root_gb: int = 0, ephemeral_gb: int = 0, swap: int = 0) -> str:
    name = f"f{root_gb}-{ephemeral_gb}-{swap}"
    sizes = {"root_gb": root_gb, "ephemeral_gb": ephemeral_gb, "swap": swap}
    hosting.api.create_flavor(hosting.admin, name=name, flavorid=name, vcpus=1, memory_mb=16, **sizes)
    return name


def rows(hosting: Computing, made: objects.Instance) -> list[objects.BlockDevice]:
    with hosting.database.read() as connection:
        return db_block_devices.of_servers(connection, [made.uuid]).get(made.uuid, [])


def spec(hosting: Computing, made: objects.Instance) -> MachineSpec:
    """What the driver was told to run."""
    return hosting.driver.specs[made.uuid]


def seen(disk: DiskSpec) -> tuple[str, int, bool, bool, int | None]:
    return disk.device_name, disk.size, disk.backing is not None, bool(disk.head), disk.boot_index


def test_a_server_gets_the_disks_of_its_flavor_in_order(hosting: Computing) -> None:
    image, wanted = image_with_disk(hosting), flavor(hosting, 2, 3, 64)
    hosting.start_agent()
    made = hosting.running(image_ref=image.id, flavor_ref=wanted)
    assert made.root_device_name == "/dev/vda"
    told = spec(hosting, made).disks
    assert [seen(disk) for disk in told] == [
        ("vda", 2 * GIB, True, False, 0),
        ("vdb", 3 * GIB, False, False, None),
        ("vdc", 64 * MIB, False, True, None),
    ]
    assert told[0].backing == hosting.store.disk(image)
    assert [disk.path for disk in told] == [hosting.paths.disk(made.uuid, name) for name in ("vda", "vdb", "vdc")]
    assert len({disk.serial for disk in told}) == 3 and all(len(disk.serial) == 20 for disk in told)
    assert [(row.device_name, row.source_type, row.guest_format, row.image_id) for row in rows(hosting, made)] == [
        ("/dev/vda", "image", None, image.id),
        ("/dev/vdb", "blank", None, None),
        ("/dev/vdc", "blank", "swap", None),
    ]
    again = hosting.running(image_ref=image.id, flavor_ref=wanted)
    assert {disk.path for disk in spec(hosting, again).disks}.isdisjoint(disk.path for disk in told)
    hosting.api.delete(hosting.me, made)
    hosting.settled(made, "deleted")
    assert rows(hosting, made) == [] and len(rows(hosting, again)) == 3


def test_a_flavor_without_a_disk_size_gives_the_images_own(hosting: Computing) -> None:
    image = image_with_disk(hosting)
    hosting.start_agent()
    (root,) = spec(hosting, hosting.running(image_ref=image.id)).disks
    assert root.size == 3 * MIB + 512


def test_an_image_without_a_disk_gives_no_root_disk(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running(flavor_ref=flavor(hosting, 1, 1))
    assert made.root_device_name is None
    assert [seen(disk) for disk in spec(hosting, made).disks] == [("vda", GIB, False, False, None)]
    plain = hosting.running(flavor_ref=flavor(hosting, 1))
    assert spec(hosting, plain).disks == () and rows(hosting, plain) == []


def test_a_flavor_too_small_for_the_image_is_refused_with_both_sizes(hosting: Computing) -> None:
    small, needs = flavor(hosting, 1), image_with_disk(hosting, min_disk=2)
    with pytest.raises(exceptions.Invalid) as refused:
        hosting.create(image_ref=needs.id, flavor_ref=small)
    assert str(refused.value) == (
        "Flavor's disk is smaller than the minimum size specified in image metadata. "
        f"Flavor disk is {GIB} bytes, minimum size is {2 * GIB} bytes."
    )
    large = image_with_disk(hosting)
    with hosting.database.write() as connection:  # a file of this size would take long to import
        connection.execute(sa.update(images).where(images.c.id == large.id).values(virtual_size=GIB + 512))
    with pytest.raises(exceptions.Invalid) as refused:
        hosting.create(image_ref=large.id, flavor_ref=small)
    assert str(refused.value) == (
        "Flavor's disk is too small for requested image. "
        f"Flavor disk is {GIB} bytes, image is {GIB + 512} bytes."
    )


def test_a_request_divides_the_flavors_local_disks(hosting: Computing) -> None:
    image, wanted = image_with_disk(hosting), flavor(hosting, 1, 4, 100)
    root = {"source_type": "image", "destination_type": "local", "boot_index": 0, "uuid": image.id, "tag": "system"}
    blank = {"source_type": "blank", "destination_type": "local", "volume_size": 1, "boot_index": -1}
    swap = {"source_type": "blank", "destination_type": "local", "guest_format": "swap", "volume_size": "10"}
    hosting.start_agent()
    made = hosting.running(image_ref=image.id, flavor_ref=wanted, block_device_mapping_v2=[swap, root, blank])
    assert [seen(disk)[:2] for disk in spec(hosting, made).disks] == [
        ("vda", GIB),
        ("vdb", GIB),
        ("vdc", 10 * MIB),
    ]
    assert [row.tag for row in rows(hosting, made)] == ["system", None, None]
    whole = hosting.running(image_ref=image.id, flavor_ref=wanted, block_device_mapping_v2=[root, {"no_device": True}])
    assert [seen(disk)[1] for disk in spec(hosting, whole).disks] == [GIB, 4 * GIB, 100 * MIB]
    legacy = [{"virtual_name": "ephemeral0", "volume_size": 3}, {"no_device": True}, {"virtual_name": "swap"}]
    older = hosting.running(image_ref=image.id, flavor_ref=wanted, block_device_mapping=legacy)
    assert [seen(disk)[1] for disk in spec(hosting, older).disks] == [GIB, 3 * GIB, 100 * MIB]


def test_each_of_several_servers_has_rows_of_its_own(hosting: Computing) -> None:
    image = image_with_disk(hosting)
    made = hosting.api.create(hosting.me, name="s", flavor_ref="40", image_ref=image.id, min_count=3)
    found = [row for server in made for row in rows(hosting, server)]
    assert len({row.uuid for row in found}) == len({row.instance_uuid for row in found}) == 3


def test_disks_are_named_as_linux_names_them() -> None:
    assert [block_devices.name_of(index) for index in (0, 25, 26, 701, 702)] == ["vda", "vdz", "vdaa", "vdzz", "vdaaa"]


def test_a_swap_disk_begins_as_mkswap_writes_it(tmp_path: Path) -> None:
    size, identity = 64 * MIB, "6c5d4b3a-0000-4000-8000-000000000001"
    page = swap_header(size, identity)
    assert len(page) == 4096 and page.endswith(b"SWAPSPACE2")
    assert struct.unpack_from("<III", page, 1024) == (1, size // 4096 - 1, 0)
    if shutil.which("blkid"):
        (tmp_path / "swap").write_bytes(page.ljust(size, b"\0"))
        said = subprocess.run(["blkid", "-p", tmp_path / "swap"], capture_output=True, text=True, check=True).stdout
        assert f'UUID="{identity}"' in said and 'TYPE="swap"' in said and 'VERSION="1"' in said


def test_vm_disks_lists_what_guests_see_and_what_the_host_keeps(hosting: Computing) -> None:
    image = image_with_disk(hosting)
    made = hosting.create("web", image_ref=image.id, flavor_ref=flavor(hosting, 1, 2))
    path = hosting.paths.disk(made.uuid, "vda")
    path.parent.mkdir(parents=True)
    overlay.create(path, GIB, hosting.store.disk(image))

    def listed(*arguments: str) -> Any:
        settings = ["--config-file", str(config), "vm", "disks", *arguments]
        done = CliRunner().invoke(main, settings)
        assert done.exit_code == 0, done.output
        return done.output

    config = hosting.paths.state / "nova-lite.conf"
    config.write_text(f"[DEFAULT]\nstate_path = {hosting.paths.state}\nhost = {HOST}\n")
    root, ephemeral = json.loads(listed("web", "--json"))
    assert (root["name"], root["device"], root["size"], root["path"]) == ("web", "/dev/vda", GIB, str(path))
    assert root["base"] == str(hosting.store.disk(image)) and 0 < root["allocated"] < MIB
    assert (ephemeral["device"], ephemeral["size"], ephemeral["allocated"]) == ("/dev/vdb", 2 * GIB, None)
    assert "/dev/vda" in listed(made.uuid[:8]) and listed("nobody") == "No disks.\n"


# -- images that are removed while servers use them --------------------------------------------------------------------


def test_a_removed_image_stays_for_its_servers_and_for_nobody_else(hosting: Computing) -> None:
    image = image_with_disk(hosting)
    folder = hosting.store.kernel(image).parent
    hosting.start_agent()
    made = hosting.running(image_ref=image.id)
    hosting.store.remove(image.id)
    assert folder.exists()
    assert image.id not in {other.id for other in hosting.api.list_images(hosting.me)}
    assert image.id not in {other.id for other in hosting.store.list()}
    for question in (
        lambda: hosting.api.get_image(hosting.me, image.id),
        lambda: hosting.store.remove(image.id),
    ):
        with pytest.raises(exceptions.NotFound):
            question()
    with pytest.raises(exceptions.Invalid, match="Can not find requested image"):
        hosting.create(image_ref=image.id)
    hosting.api.stop(hosting.me, made)
    hosting.settled(made, "stopped")
    hosting.api.start(hosting.me, made)
    hosting.settled(made, "active")
    hosting.api.delete(hosting.me, made)
    hosting.settled(made, "deleted")
    eventually(lambda: not folder.exists(), "the files have gone with the last server")


def test_files_that_a_dying_agent_left_go_when_the_next_one_starts(hosting: Computing) -> None:
    image = image_with_disk(hosting)
    folder = hosting.store.kernel(image).parent
    made = hosting.create(image_ref=image.id)
    hosting.store.remove(image.id)
    with hosting.database.write() as connection:
        db_instances.mark_deleted(connection, made.uuid)
    assert folder.exists()
    hosting.start_agent()
    assert not folder.exists()
