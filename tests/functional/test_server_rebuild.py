"""Rebuild: a server begins anew from an image and keeps what is its own, through the agent's ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite import exceptions, objects
from nova_lite.disks import overlay
from nova_lite.hv.driver import PowerState
from tests.functional.disk_driver import DriverWithDisks
from tests.functional.test_crash_agent import run_until_crash
from tests.functional.test_server_images import WRITTEN, WithImages
from tests.functional.test_volume_boot import CONTENT, IMAGE, root

GIB = 1 << 30
OTHER = "66666666-6666-4666-8666-666666666666"
OTHER_CONTENT = b"\xfa".ljust(2 << 20, b"o")


class Rebuilding(WithImages):
    def disk(self, server: objects.Instance, image_id: str) -> tuple[int, bytes, bytes]:
        path = self.paths.disk(server.uuid, "vda")
        with overlay.open_view(path, self.store.disk(self.image(image_id))) as view:
            return view.size, view.read(0, 16), view.read(1 << 20, len(WRITTEN))

    def rebuild(self, server: objects.Instance, image_id: str = OTHER, **more: Any) -> objects.Instance:
        changes = more.pop("changes", {})
        return self.api.rebuild(self.me, server, image_id, changes, **more)


FRESH = (GIB, OTHER_CONTENT[:16], OTHER_CONTENT[1 << 20 : (1 << 20) + len(WRITTEN)])


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Rebuilding]:
    made = Rebuilding(tmp_path / "state", None)
    made.driver = DriverWithDisks(made.paths.state / "machines")
    kernel = tmp_path / "kernel"
    kernel.write_bytes(b"good")
    for image_id, content in ((IMAGE, CONTENT), (OTHER, OTHER_CONTENT)):
        disk = tmp_path / image_id
        disk.write_bytes(content)
        origin = {"from": image_id[:1]}
        made.store.add(
            image_id, kernel, "flat16", image_id=image_id, disk=disk, disk_format="raw", properties=origin
        )
    yield made
    made.close()


def test_a_rebuilt_server_has_the_new_image_and_keeps_its_volume(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    volume_id = hosting.attached(server)
    changes = {"display_name": "anew", "metadata": {"a": "b"}, "user_data": "aGk=", "display_description": None}
    accepted = hosting.rebuild(server, changes=changes)
    assert (accepted.task_state, accepted.image_ref, accepted.display_name) == ("rebuilding", OTHER, "anew")
    found = hosting.settled(server, "active")
    assert (found.uuid, found.metadata, found.user_data) == (server.uuid, {"a": "b"}, "aGk=")
    assert found.image_properties == {"from": "6"} and found.flavor == server.flavor
    assert found.launched_at is not None and server.launched_at is not None and found.launched_at > server.launched_at
    assert hosting.disk(server, OTHER) == FRESH
    assert hosting.disks(server) == ["vda", "vdb"] and hosting.status(volume_id) == "in-use"
    assert [op.action for op in hosting.operations(server)] == ["create", "attach_volume", "rebuild"]


def test_the_same_image_gives_a_fresh_disk_and_a_stopped_server_stays_stopped(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.stop(hosting.me, server)
    hosting.settled(server, "stopped")
    assert hosting.disk(server, IMAGE)[2] == WRITTEN
    hosting.rebuild(server, IMAGE)
    assert hosting.settled(server, "stopped").power_state == int(PowerState.SHUTDOWN)
    assert hosting.disk(server, IMAGE)[2] != WRITTEN
    assert hosting.driver.boots(server.uuid) == 1


def test_a_server_in_error_comes_back_by_a_rebuild(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.driver.guest(server.uuid, "crashed")
    hosting.becomes(server, "error")
    hosting.rebuild(server)
    found = hosting.settled(server, "active")
    assert found.fault is None and hosting.disk(server, OTHER) == FRESH


def test_a_rebuild_that_fails_leaves_an_error_that_the_next_one_mends(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.driver.fail("power_on", "No memory is left on the host.")
    hosting.rebuild(server)
    assert hosting.settled(server, "error").fault is not None
    hosting.rebuild(server, IMAGE)
    hosting.settled(server, "active")
    assert hosting.disk(server, IMAGE)[1] == CONTENT[:16]


def test_ephemeral_disks_are_kept_only_where_asked_for(hosting: Rebuilding) -> None:
    hosting.api.create_flavor(hosting.admin, name="e", flavorid="e", vcpus=1, memory_mb=64, root_gb=1, ephemeral_gb=1)
    hosting.start_agent()
    server = hosting.settled(hosting.create(image_ref=IMAGE, flavor_ref="e"), "active")
    path = hosting.paths.disk(server.uuid, "vdb")
    kept = path.stat().st_ino
    hosting.rebuild(server, preserve_ephemeral=True)
    hosting.settled(server, "active")
    assert path.stat().st_ino == kept
    keep_open = open(path, "rb")  # noqa: SIM115  # so that its inode is not used again
    hosting.rebuild(server)
    hosting.settled(server, "active")
    assert path.stat().st_ino != kept
    keep_open.close()


def test_a_root_volume_is_written_anew_only_from_2_93_on(hosting: Rebuilding) -> None:
    hosting.start_agent()
    volume_id = hosting.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    wanted = {"image_ref": None, "flavor_ref": "42", "block_device_mapping_v2": [root("volume", volume_id)]}
    server = hosting.settled(hosting.create(**wanted), "active")
    path = hosting.paths.volume(volume_id)
    with open(path, "r+b") as file:
        file.write(b"guest")
    with pytest.raises(exceptions.Invalid, match="different image for a volume-backed server"):
        hosting.rebuild(server)
    hosting.rebuild(server, IMAGE)
    hosting.settled(server, "active")
    with open(path, "rb") as file:
        assert file.read(5) == b"guest"
    hosting.rebuild(server, reimage_boot_volume=True)
    assert hosting.settled(server, "active").image_ref == ""
    with open(path, "rb") as file:
        assert file.read(len(OTHER_CONTENT)) == OTHER_CONTENT
    assert path.stat().st_size == GIB and hosting.status(volume_id) == "in-use"


def test_what_cannot_be_is_refused_and_changes_nothing(hosting: Rebuilding) -> None:
    hosting.start_agent()
    server = hosting.running(image_ref=IMAGE, flavor_ref="1")
    for changes, image_id, message in [
        ({}, "77777777-7777-4777-8777-777777777777", "Cannot find image for rebuild"),
        ({"key_name": "none"}, OTHER, "Invalid key_name provided."),
        ({"trusted_image_certificates": ["x"]}, OTHER, "Image signature certificate validation failed"),
        ({"user_data": "!"}, OTHER, "User data needs to be valid base 64."),
    ]:
        with pytest.raises(exceptions.Invalid, match=message):
            hosting.rebuild(server, image_id, changes=changes)
    with pytest.raises(exceptions.OverQuota):
        hosting.rebuild(server, changes={"metadata": {str(n): "x" for n in range(129)}})
    hosting.api.lock(hosting.me, server)
    with pytest.raises(exceptions.InstanceIsLocked):
        hosting.rebuild(server)
    hosting.api.unlock(hosting.me, server)
    hosting.api.pause(hosting.me, server)
    hosting.settled(server, "paused")
    with pytest.raises(exceptions.Conflict, match="Cannot 'rebuild' instance .* vm_state paused"):
        hosting.rebuild(server)
    assert hosting.get(server).image_ref == IMAGE


@pytest.mark.parametrize("step", ["power_off", "disks", "boot"])
def test_an_accepted_rebuild_survives_the_agents_end_after(hosting: Rebuilding, step: str) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.stop_agent()
    hosting.rebuild(server)
    run_until_crash(hosting, f"rebuild:{step}:after", "files")
    assert hosting.get(server).task_state == {
        "power_off": "rebuilding", "disks": "rebuild_block_device_mapping", "boot": "rebuild_spawning"
    }[step]  # fmt: skip
    hosting.start_agent()
    hosting.settled(server, "active")
    assert hosting.disk(server, OTHER) == FRESH
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
