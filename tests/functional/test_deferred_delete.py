"""Deletes that can be taken back: what a SOFT_DELETED server keeps, who sees it, and when it is gone for good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from nova_lite import exceptions, objects
from nova_lite.compute.housekeeping import Housekeeping
from nova_lite.db.times import now
from nova_lite.hv.driver import PowerState
from tests.functional.cloud import Cloud
from tests.functional.test_crash_agent import run_until_crash
from tests.unit.computing import Computing, eventually

HOUR = 3600


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Computing]:
    made = Computing(tmp_path / "state", None, compute={"reclaim_instance_interval": HOUR}, quota={"instances": 1})
    yield made
    made.close()


def listed(hosting: Computing, **filters: object) -> list[str]:
    return [server.uuid for server in hosting.api.list(hosting.me, filters=filters)]


def deleted_for(hosting: Computing, server: objects.Instance, seconds: float) -> None:
    at = (now() - timedelta(seconds=seconds)).isoformat()
    hosting.set_row(server, system_metadata={"deleted_at": at})


def test_a_deleted_server_can_be_brought_back_while_there_is_room(hosting: Computing) -> None:
    hosting.start_agent()
    api, me = hosting.api, hosting.me
    server = hosting.running()
    with pytest.raises(exceptions.Conflict, match="Cannot 'restore' instance"):
        api.restore(me, server)
    api.delete(me, server)
    gone = hosting.settled(server, "soft-delete")
    assert (gone.deleted, gone.power_state) == (False, 4)
    assert hosting.driver.info(server.uuid).power_state is PowerState.SHUTDOWN
    assert listed(hosting) == [] and listed(hosting, vm_state=["soft-delete"]) == [server.uuid]
    with pytest.raises(exceptions.Conflict, match="vm_state soft-delete"):
        api.start(me, server)
    api.delete(me, gone)  # once more is no more
    assert [op.action for op in hosting.operations(server)] == ["create", "delete"]
    other = hosting.running()  # it counts against no quota
    with pytest.raises(exceptions.OverQuota):
        api.restore(me, server)
    api.force_delete(me, other)
    hosting.settled(other, "deleted")
    api.restore(me, server)
    back = hosting.settled(server, "active")
    assert back.system_metadata == {} and listed(hosting) == [server.uuid]
    assert hosting.driver.info(server.uuid).power_state is PowerState.RUNNING
    assert [op.action for op in hosting.operations(other)] == ["create", "delete"]


def test_it_is_reclaimed_when_its_time_is_over(hosting: Computing) -> None:
    agent = hosting.start_agent()
    server = hosting.running()
    hosting.api.delete(hosting.me, server)
    hosting.settled(server, "soft-delete")
    keeping = Housekeeping(hosting.conf, hosting.database, agent._journal.wake)
    assert [pause for pause, _ in keeping.pauses()] == [60]
    deleted_for(hosting, server, HOUR - 60)
    keeping.reclaim()
    assert hosting.settled(server, "soft-delete")
    deleted_for(hosting, server, HOUR + 1)
    keeping.reclaim()
    hosting.settled(server, "deleted")
    assert not hosting.driver.exists(server.uuid)


def test_a_server_that_never_came_up_is_deleted_at_once(hosting: Computing) -> None:
    hosting.start_agent()
    hosting.driver.fail("power_on")
    server = hosting.settled(hosting.create(), "error")
    hosting.api.delete(hosting.me, server)
    hosting.settled(server, "deleted")


def test_shelved_servers_leave_the_host_when_their_time_is_over(tmp_path: Path) -> None:
    hosting = Computing(tmp_path / "state", None, compute={"shelved_offload_time": HOUR})
    agent = hosting.start_agent()
    server = hosting.running()
    hosting.api.shelve(hosting.me, server)
    shelved = hosting.settled(server, "shelved")
    keeping = Housekeeping(hosting.conf, hosting.database, agent._journal.wake)
    keeping.offload()
    hosting.settled(server, "shelved")
    long_ago = (now() - timedelta(seconds=HOUR + 1)).isoformat()
    hosting.set_row(server, system_metadata=shelved.system_metadata | {"shelved_at": long_ago})
    keeping.offload()
    eventually(lambda: hosting.get(server).vm_state == "shelved_offloaded", "it has left")
    assert [op.action for op in hosting.operations(server)] == ["create", "shelve", "shelveOffload"]
    hosting.close()


@pytest.mark.parametrize("point", ["delete:power_off:after", "restore:boot:after"])
def test_it_survives_the_agents_end_at(hosting: Computing, point: str) -> None:
    hosting.start_agent()
    server = hosting.running()
    if point.startswith("restore"):
        hosting.api.delete(hosting.me, server)
        hosting.settled(server, "soft-delete")
    hosting.stop_agent()
    getattr(hosting.api, point.partition(":")[0])(hosting.me, server)
    run_until_crash(hosting, point)
    hosting.start_agent()
    hosting.settled(server, "active" if point.startswith("restore") else "soft-delete")


def test_deferred_delete_over_the_api(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path / "state", compute={"reclaim_instance_interval": HOUR})
    server = cloud.add_server("known")
    cloud.set_server(server, vm_state="active", task_state=None, power_state=1, launched_at=now())
    path = f"/servers/{server}/action"
    assert cloud("DELETE", f"/servers/{server}", "2.1").status_code == 204
    assert cloud("GET", f"/servers/{server}", "2.1").json["server"]["OS-EXT-STS:task_state"] == "soft-deleting"
    cloud.set_server(server, vm_state="soft-delete", task_state=None)
    assert cloud("GET", f"/servers/{server}", "2.1").json["server"]["status"] == "SOFT_DELETED"
    assert cloud("GET", "/servers", "2.1").json["servers"] == []
    assert len(cloud("GET", "/servers?status=soft_deleted", "2.1").json["servers"]) == 1
    assert cloud("POST", path, "2.1", "u2:p1:reader", json={"restore": None}).status_code == 403
    restored = cloud("POST", path, "3.0", json={"restore": None})
    assert restored.status_code == 202 and "/operations/" in restored.headers["location"]
    again = cloud("POST", path, "2.1", json={"restore": {}})
    assert f"Cannot 'restore' instance {server} while it is in task_state restoring" in again.text
    assert cloud("POST", path, "3.0", json={"force_delete": None}).status_code == 202
    cloud.close()
