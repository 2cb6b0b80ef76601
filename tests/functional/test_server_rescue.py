"""Rescue: another disk to boot, with the server's own beside it, untouched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite import exceptions
from nova_lite.hv.driver import PowerState
from tests.functional.disk_driver import DriverWithDisks
from tests.functional.test_crash_agent import run_until_crash
from tests.functional.test_server_images import WRITTEN
from tests.functional.test_server_rebuild import OTHER, OTHER_CONTENT, Rebuilding
from tests.functional.test_volume_boot import CONTENT, IMAGE, root
from tests.unit.computing import eventually

STABLE = "88888888-8888-4888-8888-888888888888"


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Rebuilding]:
    made = Rebuilding(tmp_path / "state", None)
    made.driver = DriverWithDisks(made.paths.state / "machines")
    kernel, rescuer = tmp_path / "kernel", tmp_path / "rescuer"
    kernel.write_bytes(b"good")
    rescuer.write_bytes(b"good rescuer")
    stable = {"hw_rescue_device": "disk", "hw_rescue_bus": "virtio"}
    for image_id, content, properties in ((IMAGE, CONTENT, {}), (OTHER, OTHER_CONTENT, {}), (STABLE, CONTENT, stable)):
        disk = tmp_path / image_id
        disk.write_bytes(content)
        made.store.add(
            image_id, kernel if image_id == IMAGE else rescuer, "flat16",
            image_id=image_id, disk=disk, disk_format="raw", properties=properties,
        )  # fmt: skip
    yield made
    made.close()


def test_a_rescued_server_boots_the_rescue_disk_with_its_own_as_the_second(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.rescue(hosting.me, server, OTHER, True)
    rescued = hosting.settled(server, "rescued")
    assert (rescued.power_state, rescued.image_ref) == (1, IMAGE)
    spec = hosting.driver.specs[server.uuid]
    assert spec.kernel.read_bytes() == b"good rescuer"
    assert [(disk.device_name, disk.boot_index) for disk in spec.disks] == [("rescue", 0), ("vda", None)]
    assert spec.disks[0].size == len(OTHER_CONTENT)
    hosting.store.remove(OTHER)  # it is needed while the server is rescued with it
    hosting.store.purge()
    assert spec.disks[0].backing is not None and spec.disks[0].backing.exists()
    for verb in (hosting.api.stop, hosting.api.start, hosting.api.pause):
        with pytest.raises(exceptions.Conflict, match="vm_state rescued"):
            verb(hosting.me, server)
    hosting.api.unrescue(hosting.me, server)
    back = hosting.settled(server, "active")
    assert back.system_metadata == {}
    spec = hosting.driver.specs[server.uuid]
    assert [(disk.device_name, disk.boot_index) for disk in spec.disks] == [("vda", 0)]
    assert spec.kernel.read_bytes() == b"good"
    assert hosting.disk(server, IMAGE)[2] == WRITTEN
    assert not hosting.paths.disk(server.uuid, "rescue").exists()


def test_the_servers_own_image_is_the_default_and_a_stopped_one_comes_up(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.stop(hosting.me, server)
    hosting.settled(server, "stopped")
    hosting.api.rescue(hosting.me, server, None, False)
    hosting.settled(server, "rescued")
    assert hosting.driver.specs[server.uuid].disks[0].backing == hosting.store.disk(hosting.image(IMAGE))
    hosting.api.unrescue(hosting.me, server)
    hosting.settled(server, "active")


def test_a_rescue_that_fails_leaves_the_server_as_it_was(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.driver.fail("power_on", "No memory is left on the host.")
    hosting.api.rescue(hosting.me, server, OTHER, False)
    found = hosting.settled(server, "active")
    assert found.fault is not None and found.system_metadata == {}
    assert [disk.device_name for disk in hosting.driver.specs[server.uuid].disks] == ["vda"]
    assert not hosting.paths.disk(server.uuid, "rescue").exists()


def test_a_server_on_a_volume_is_rescued_only_by_an_image_made_for_it(hosting: Rebuilding) -> None:
    hosting.start_agent()
    volume_id = hosting.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    wanted = {"image_ref": None, "flavor_ref": "42", "block_device_mapping_v2": [root("volume", volume_id)]}
    server = hosting.settled(hosting.create(**wanted), "active")
    for image_id, allowed in ((STABLE, False), (OTHER, True), (None, True)):
        with pytest.raises(exceptions.Invalid, match="cannot be rescued: Cannot rescue a volume-backed instance"):
            hosting.api.rescue(hosting.me, server, image_id, allowed)
    hosting.api.rescue(hosting.me, server, STABLE, True)
    hosting.settled(server, "rescued")
    assert hosting.disks(server) == ["rescue", "vda"]
    hosting.api.unrescue(hosting.me, server)
    hosting.settled(server, "active")


def test_an_image_that_is_not_there_is_refused(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    nowhere = "77777777-7777-4777-8777-777777777777"
    with pytest.raises(exceptions.Invalid, match=f"Requested rescue image '{nowhere}' is not supported"):
        hosting.api.rescue(hosting.me, server, nowhere, False)
    with pytest.raises(exceptions.Conflict, match="Cannot 'unrescue' .* vm_state active"):
        hosting.api.unrescue(hosting.me, server)
    assert hosting.get(server).task_state is None


def test_a_rescued_server_starts_again_with_its_host(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.rescue(hosting.me, server, OTHER, False)
    hosting.settled(server, "rescued")
    hosting.stop_agent()
    hosting.driver.power_off(server.uuid)
    hosting.start_agent()
    running = PowerState.RUNNING
    eventually(lambda: hosting.driver.info(server.uuid).power_state is running, "the server runs again")
    assert hosting.disks(server) == ["rescue", "vda"]
    hosting.api.delete(hosting.me, server)
    hosting.settled(server, "deleted")


@pytest.mark.parametrize("point", ["rescue:prepare", "rescue:boot", "unrescue:remove", "unrescue:boot"])
def test_an_accepted_rescue_survives_the_agents_end_after(hosting: Rebuilding, point: str) -> None:
    hosting.start_agent()
    server = hosting.server()
    unrescue = point.startswith("un")
    if unrescue:
        hosting.api.rescue(hosting.me, server, OTHER, False)
        hosting.settled(server, "rescued")
    hosting.stop_agent()
    if unrescue:
        hosting.api.unrescue(hosting.me, server)
    else:
        hosting.api.rescue(hosting.me, server, OTHER, False)
    run_until_crash(hosting, f"{point}:after", "files")
    hosting.start_agent()
    hosting.settled(server, "active" if unrescue else "rescued")
    assert hosting.disk(server, IMAGE)[2] == WRITTEN
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
    assert hosting.paths.disk(server.uuid, "rescue").exists() is not unrescue
