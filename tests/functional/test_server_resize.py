"""Resize: another flavor and larger disks, confirmed, reverted or undone, through the agent's ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite import exceptions, objects
from nova_lite.compute import resize
from nova_lite.db import migration_records
from nova_lite.disks import overlay
from nova_lite.hv.driver import PowerState
from tests.functional.disk_driver import DriverWithDisks
from tests.functional.test_crash_agent import run_until_crash
from tests.functional.test_server_images import WRITTEN, WithImages
from tests.functional.test_volume_boot import CONTENT, IMAGE, root
from tests.unit.computing import HOST, eventually

GIB = 1 << 30


class Resizing(WithImages):
    def flavor(self, flavorid: str, **more: int) -> None:
        sizes = {"vcpus": 2, "memory_mb": 1024, "root_gb": 2} | more
        self.api.create_flavor(self.admin, name=f"f-{flavorid}", flavorid=flavorid, **sizes)

    def records(self, server: objects.Instance) -> list[str]:
        with self.database.read() as connection:
            found = migration_records.list_(connection, {"instance_uuid": server.uuid})
        return [migration.status for migration in found]

    def disk(self, server: objects.Instance) -> tuple[int, bytes, bytes]:
        """Its size, its beginning, and what its guest wrote."""
        path = self.paths.disk(server.uuid, "vda")
        with overlay.open_view(path, self.store.disk(self.image(IMAGE))) as view:
            return view.size, view.read(0, 16), view.read(1 << 20, len(WRITTEN))

    def aside(self, server: objects.Instance) -> bool:
        return self.paths.disks(server.uuid).with_name("disks.resize").exists()

    def resized(self, server: objects.Instance) -> objects.Instance:
        self.api.resize(self.me, server, "big")
        return self.settled(server, "resized")


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Resizing]:
    made = Resizing(tmp_path / "state", None)
    made.driver = DriverWithDisks(made.paths.state / "machines")
    kernel, disk = tmp_path / "kernel", tmp_path / "disk"
    kernel.write_bytes(b"good")
    disk.write_bytes(CONTENT)
    made.store.add("disked", kernel, "flat16", image_id=IMAGE, disk=disk, disk_format="raw")
    made.flavor("big")
    yield made
    made.close()


def test_a_resized_server_has_more_and_what_it_wrote_and_stays_so_when_confirmed(hosting: Resizing) -> None:
    hosting.start_agent()
    server = hosting.server()
    launched = hosting.get(server).launched_at
    resized = hosting.resized(server)
    assert (resized.flavor.flavorid, resized.flavor.root_gb, resized.power_state) == ("big", 2, 1)
    assert launched is not None and resized.launched_at is not None and resized.launched_at > launched
    spec = hosting.driver.specs[server.uuid]
    assert (spec.vcpus, spec.memory_mb, spec.disks[0].size) == (2, 1024, 2 * GIB)
    assert hosting.disk(server) == (2 * GIB, CONTENT[:16], WRITTEN)
    assert hosting.records(server) == ["finished"] and hosting.aside(server)
    assert hosting.api.usage(hosting.me)["cores"] == 2
    for verb in (hosting.api.stop, hosting.api.pause):
        with pytest.raises(exceptions.Conflict, match="vm_state resized"):
            verb(hosting.me, server)
    hosting.api.confirm_resize(hosting.me, server)
    confirmed = hosting.settled(server, "active")
    assert confirmed.system_metadata == {} and hosting.records(server) == ["confirmed"]
    assert not hosting.aside(server) and hosting.disk(server)[0] == 2 * GIB
    with pytest.raises(exceptions.Conflict, match="'confirmResize'.*vm_state active"):
        hosting.api.confirm_resize(hosting.me, server)
    assert [op.action for op in hosting.operations(server)] == ["create", "resize", "confirmResize"]


def test_a_reverted_server_is_what_it_was(hosting: Resizing) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.resized(server)
    hosting.api.revert_resize(hosting.me, server)
    reverted = hosting.settled(server, "active")
    assert (reverted.flavor.flavorid, reverted.system_metadata) == ("1", {})
    assert hosting.disk(server) == (GIB, CONTENT[:16], WRITTEN) and not hosting.aside(server)
    assert hosting.driver.specs[server.uuid].vcpus == 1
    assert hosting.records(server) == ["reverted"]


def test_a_stopped_server_stays_stopped(hosting: Resizing) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.stop(hosting.me, server)
    hosting.settled(server, "stopped")
    assert hosting.resized(server).power_state == int(PowerState.SHUTDOWN)
    hosting.api.confirm_resize(hosting.me, server)
    hosting.settled(server, "stopped")
    assert hosting.driver.info(server.uuid).power_state is PowerState.SHUTDOWN
    assert hosting.driver.boots(server.uuid) == 1


def test_swap_and_ephemeral_disks_come_and_go_with_the_flavor(hosting: Resizing) -> None:
    hosting.flavor("swapping", swap=64, ephemeral_gb=1)
    hosting.start_agent()
    server = hosting.server()
    hosting.api.resize(hosting.me, server, "swapping")
    hosting.settled(server, "resized")
    disks = {disk.device_name: disk.size for disk in hosting.driver.specs[server.uuid].disks}
    assert disks == {"vda": 2 * GIB, "vdb": GIB, "vdc": 64 << 20}
    hosting.api.revert_resize(hosting.me, server)
    hosting.settled(server, "active")
    assert [disk.device_name for disk in hosting.driver.specs[server.uuid].disks] == ["vda"]


def test_a_resize_that_fails_is_undone(hosting: Resizing) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.driver.fail("power_on", "No memory is left on the host.")
    hosting.api.resize(hosting.me, server, "big")
    found = hosting.settled(server, "active")
    assert found.fault is not None and found.fault.message == "No memory is left on the host."
    assert (found.flavor.flavorid, found.system_metadata) == ("1", {})
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
    assert hosting.disk(server) == (GIB, CONTENT[:16], WRITTEN) and not hosting.aside(server)
    assert hosting.records(server) == ["error"]
    hosting.resized(server)  # nothing is in the way of the next


def test_a_revert_that_fails_can_be_asked_for_again(hosting: Resizing) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.resized(server)
    hosting.driver.fail("restore_disks", "The disk is busy.")
    hosting.api.revert_resize(hosting.me, server)
    assert hosting.settled(server, "resized").flavor.flavorid == "big"
    assert hosting.records(server) == ["finished"]
    hosting.api.revert_resize(hosting.me, server)
    assert hosting.settled(server, "active").flavor.flavorid == "1"


@pytest.mark.parametrize(
    ("flavor", "message"),
    [
        ("1", "When resizing, instances must change flavor!"),
        ("nowhere", "Flavor nowhere could not be found."),
        ("42", "Server disk was unable to be resized because: Resize to zero disk flavor is not allowed."),
        ("tiny", "Server disk was unable to be resized because: Unable to resize disk down."),
    ],
)
def test_a_flavor_that_the_server_cannot_have_is_refused(hosting: Resizing, flavor: str, message: str) -> None:
    hosting.flavor("tiny", root_gb=1)
    hosting.start_agent()
    server = hosting.settled(hosting.create(image_ref=IMAGE, flavor_ref="big" if flavor == "tiny" else "1"), "active")
    with pytest.raises(exceptions.Invalid) as refused:
        hosting.api.resize(hosting.me, server, flavor)
    assert str(refused.value) == message
    assert hosting.get(server).task_state is None and hosting.records(server) == []


def test_what_is_too_much_for_quota_or_host_is_refused(hosting: Resizing) -> None:
    hosting.flavor("many", vcpus=60)
    hosting.start_agent()
    server = hosting.server()
    with pytest.raises(exceptions.OverQuota, match="Quota exceeded for cores: Requested 59, but already used 1 of 20"):
        hosting.api.resize(hosting.me, server, "many")
    hosting.flavor("huge", memory_mb=40_000)
    hosting.api.resize(hosting.me, server, "huge")
    found = hosting.settled(server, "active")
    assert found.fault is not None
    assert found.fault.message == "No valid host was found. No valid host found for resize"
    assert hosting.records(server) == ["error"] and found.flavor.flavorid == "1"


def test_a_server_on_a_volume_keeps_it(hosting: Resizing) -> None:
    hosting.start_agent()
    volume_id = hosting.store_of_volumes().create(1, project_id="p1", image_id=IMAGE).uuid
    made = hosting.create(
        image_ref=None, flavor_ref="42", block_device_mapping_v2=[root("volume", volume_id)]
    )
    hosting.settled(made, "active")
    assert hosting.resized(made).flavor.flavorid == "big"
    assert [disk.path for disk in hosting.driver.specs[made.uuid].disks] == [hosting.paths.volume(volume_id)]
    hosting.api.revert_resize(hosting.me, made)
    hosting.settled(made, "active")
    assert hosting.status(volume_id) == "in-use"


def test_what_nobody_confirms_is_confirmed_after_the_window(hosting: Resizing) -> None:
    agent = hosting.start_agent()
    server = hosting.server()
    hosting.resized(server)
    assert resize.confirm_old(hosting.database, HOST, 3600) == 0
    assert resize.confirm_old(hosting.database, HOST, -1) == 1
    assert resize.confirm_old(hosting.database, HOST, -1) == 0
    assert agent.host == HOST
    hosting.api.agent.call("Agent.wake", {})
    hosting.settled(server, "active")
    assert hosting.records(server) == ["confirmed"]


def test_a_resized_server_starts_again_with_its_host_and_can_be_deleted(hosting: Resizing) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.resized(server)
    hosting.stop_agent()
    hosting.driver.power_off(server.uuid)
    hosting.start_agent()
    running = PowerState.RUNNING
    eventually(lambda: hosting.driver.info(server.uuid).power_state is running, "the server runs again")
    assert hosting.settled(server, "resized").power_state == 1
    hosting.api.delete(hosting.me, server)
    hosting.settled(server, "deleted")


def test_cold_migration_finds_no_host(hosting: Resizing) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.api.migrate(hosting.admin, server)
    found = hosting.settled(server, "active")
    assert found.fault is not None
    assert found.fault.message == "No valid host was found. No valid host found for cold migrate"
    (operation,) = hosting.operations(server)[1:]
    assert (operation.action, operation.state) == ("migrate", "failed")
    with pytest.raises(exceptions.Invalid, match="Cannot migrate to the host where the server exists"):
        hosting.api.migrate(hosting.admin, server, HOST)
    with pytest.raises(exceptions.Invalid, match="Compute host elsewhere could not be found"):
        hosting.api.migrate(hosting.admin, server, "elsewhere")
    assert hosting.records(server) == ["error"]


@pytest.mark.parametrize("step", ["power_off", "switch", "disks", "boot"])
def test_an_accepted_resize_survives_the_agents_end_after(hosting: Resizing, step: str) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.stop_agent()
    hosting.api.resize(hosting.me, server, "big")
    run_until_crash(hosting, f"resize:{step}:after", "files")
    hosting.start_agent()
    resized = hosting.settled(server, "resized")
    assert (resized.flavor.flavorid, hosting.records(server)) == ("big", ["finished"])
    assert hosting.disk(server) == (2 * GIB, CONTENT[:16], WRITTEN)
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
    hosting.api.revert_resize(hosting.me, server)
    hosting.settled(server, "active")
    assert hosting.disk(server) == (GIB, CONTENT[:16], WRITTEN)


@pytest.mark.parametrize("point", ["revertResize:restore", "revertResize:switch_back", "confirmResize:forget"])
def test_an_accepted_end_of_a_resize_survives_the_agents_end_after(hosting: Resizing, point: str) -> None:
    hosting.start_agent()
    server = hosting.server()
    hosting.resized(server)
    hosting.stop_agent()
    confirm = point.startswith("confirm")
    (hosting.api.confirm_resize if confirm else hosting.api.revert_resize)(hosting.me, server)
    run_until_crash(hosting, f"{point}:after", "files")
    hosting.start_agent()
    assert hosting.settled(server, "active").flavor.flavorid == ("big" if confirm else "1")
    assert hosting.records(server) == ["confirmed" if confirm else "reverted"]
    assert hosting.disk(server) == ((2 if confirm else 1) * GIB, CONTENT[:16], WRITTEN)
    assert not hosting.aside(server)
