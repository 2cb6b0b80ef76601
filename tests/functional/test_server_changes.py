"""Changing servers: update and delete, and the actions start, stop, reboot, pause, lock, evacuate, console output."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nova_lite.db import hosts, operations
from tests.functional.cloud import ADMIN, HOST, READER, Cloud

AT = datetime(2026, 11, 21, 9, 40, tzinfo=UTC)
RUNNING = {"vm_state": "active", "task_state": None, "power_state": 1, "launched_at": AT}


@pytest.fixture
def server(cloud: Cloud) -> Iterator[str]:
    """A running server of p1."""
    server_id = cloud.add_server("s")
    settle(cloud, server_id, **RUNNING)
    yield server_id


def settle(cloud: Cloud, server_id: str, **columns: Any) -> None:
    """End what is under way as the agent would."""
    with cloud.compute.database.write() as connection:
        for operation in operations.list_for_instance(connection, server_id):
            if operation.state == "pending" and operations.claim(connection, operation.id):
                operations.finish(connection, operation.id, "done", None)
    cloud.set_server(server_id, **columns)


def refusal(answer: Any, code: int) -> str:
    assert answer.status_code == code, answer.text
    (fault,) = answer.json.values()
    return fault["message"]


def act(cloud: Cloud, server_id: str, action: str, value: Any = None, version: str = "2.1", **request: Any) -> Any:
    return cloud("POST", f"/servers/{server_id}/action", version, json={action: value}, **request)


def show(cloud: Cloud, server_id: str) -> dict[str, Any]:
    return cloud("GET", f"/servers/{server_id}", "2.104", ADMIN).json["server"]


# -- update -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "since", "shown_as"),
    [
        ("name", "renamed", 1, "name"),
        ("accessIPv4", "192.0.2.9", 1, "accessIPv4"),
        ("accessIPv6", "2001:db8::9", 1, "accessIPv6"),
        ("OS-DCF:diskConfig", "AUTO", 1, "OS-DCF:diskConfig"),
        ("description", "text", 19, "description"),
        ("description", None, 19, "description"),
        ("hostname", "web", 90, "OS-EXT-SRV-ATTR:hostname"),
        ("hostname", "web.example.org", 94, "OS-EXT-SRV-ATTR:hostname"),
        ("pinned_availability_zone", "nova", 104, "pinned_availability_zone"),
        ("pinned_availability_zone", None, 104, "pinned_availability_zone"),
    ],
)
def test_update_changes_what_its_version_takes(
    cloud: Cloud, server: str, key: str, value: Any, since: int, shown_as: str
) -> None:
    if since > 1:
        refused = cloud("PUT", f"/servers/{server}", f"2.{since - 1}", json={"server": {key: value}})
        assert key in refusal(refused, 400)
    changed = cloud("PUT", f"/servers/{server}", f"2.{since}", json={"server": {key: value}})
    assert changed.status_code == 200, changed.text
    assert show(cloud, server)[shown_as] == value


def test_an_update_leaves_alone_what_it_does_not_name(cloud: Cloud, server: str) -> None:
    cloud("PUT", f"/servers/{server}", "2.90", json={"server": {"description": "kept", "hostname": "kept"}})
    before = show(cloud, server)
    assert cloud("PUT", f"/servers/{server}", "2.90", json={"server": {"name": "renamed"}}).status_code == 200
    assert cloud("PUT", f"/servers/{server}", "2.90", json={"server": {}}).status_code == 200
    after = show(cloud, server)
    assert after == before | {"name": "renamed", "updated": after["updated"]}


def test_a_server_is_pinned_only_to_the_zone_it_is_in(cloud: Cloud, server: str) -> None:
    elsewhere = {"server": {"pinned_availability_zone": "mars"}}
    assert "current availability zone" in refusal(cloud("PUT", f"/servers/{server}", "2.104", json=elsewhere), 409)
    pin = {"server": {"pinned_availability_zone": "nova"}}
    assert cloud("PUT", f"/servers/{server}", "2.104", json=pin).json["server"]["pinned_availability_zone"] == "nova"
    assert "Unpin first" in refusal(cloud("PUT", f"/servers/{server}", "2.104", json=elsewhere), 409)


def test_update_in_3_0(cloud: Cloud, server: str) -> None:
    body = {"server": {"name": "plain", "access_ip_v4": "192.0.2.3", "disk_config": "AUTO"}}
    updated = cloud("PUT", f"/servers/{server}", "3.0", json=body).json["server"]
    assert (updated["name"], updated["access_ip_v4"], updated["disk_config"]) == ("plain", "192.0.2.3", "AUTO")


def test_a_reader_and_a_stranger_cannot_update(cloud: Cloud, server: str) -> None:
    body = {"server": {"name": "mine"}}
    assert cloud("PUT", f"/servers/{server}", token=READER, json=body).status_code == 403
    assert cloud("PUT", f"/servers/{server}", token="u9:p9", json=body).status_code == 404


# -- delete -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vm_state", ["building", "active", "stopped", "paused", "error"])
def test_delete_works_in_every_state(cloud: Cloud, server: str, vm_state: str) -> None:
    cloud.set_server(server, vm_state=vm_state, task_state="spawning" if vm_state == "building" else None)
    deleted = cloud("DELETE", f"/servers/{server}")
    assert (deleted.status_code, deleted.text) == (204, "")
    assert show(cloud, server)["OS-EXT-STS:task_state"] == "deleting"
    assert cloud("DELETE", f"/servers/{server}").status_code == 204


def test_delete_in_3_0_names_its_operation_also_when_repeated(cloud: Cloud, server: str) -> None:
    first, second = (cloud("DELETE", f"/servers/{server}", "3.0") for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.headers["location"] == second.headers["location"]
    operation = cloud("GET", first.headers["location"].partition("/v3")[2], "3.0").json["operation"]
    assert (operation["action"], operation["state"], operation["server_id"]) == ("delete", "pending", server)


def test_a_lock_keeps_members_from_deleting_but_not_administrators(cloud: Cloud, server: str) -> None:
    act(cloud, server, "lock")
    assert f"Instance {server} is locked" in refusal(cloud("DELETE", f"/servers/{server}"), 409)
    assert "is locked" in refusal(act(cloud, server, "forceDelete"), 409)
    assert cloud("DELETE", f"/servers/{server}", token=ADMIN).status_code == 204


def test_force_delete_is_a_delete_and_has_another_name_in_3_0(cloud: Cloud, server: str) -> None:
    assert act(cloud, server, "forceDelete", {}, "3.0").status_code == 400
    assert act(cloud, server, "forceDelete", {}).status_code == 202
    assert show(cloud, server)["OS-EXT-STS:task_state"] == "deleting"


# -- actions that the agent carries out -------------------------------------------------------------------------------

ACTIONS = [
    # 2.x name, 2.x value, 3.0 name, 3.0 value, vm_state it needs, task_state it leads to
    ("os-start", None, "start", None, "stopped", "powering-on"),
    ("os-stop", None, "stop", None, "active", "powering-off"),
    ("reboot", {"type": "SOFT"}, "reboot", {"type": "soft"}, "active", "rebooting"),
    ("reboot", {"type": "Hard"}, "reboot", {"type": "hard"}, "stopped", "rebooting_hard"),
    ("pause", None, "pause", None, "active", "pausing"),
    ("unpause", {"ignored": 1}, "unpause", None, "paused", "unpausing"),
]


@pytest.mark.parametrize(("old", "old_value", "new", "new_value", "vm_state", "task_state"), ACTIONS)
def test_an_action_is_accepted_in_its_state(
    cloud: Cloud, server: str, old: str, old_value: Any, new: str, new_value: Any, vm_state: str, task_state: str
) -> None:
    for version, name, value in (("2.1", old, old_value), ("2.104", old, old_value), ("3.0", new, new_value)):
        settle(cloud, server, **RUNNING | {"vm_state": vm_state})
        answer = act(cloud, server, name, value, version)
        assert (answer.status_code, answer.text) == (202, "")
        assert show(cloud, server)["OS-EXT-STS:task_state"] == task_state
        assert ("location" in answer.headers) == (version == "3.0")


@pytest.mark.parametrize(
    ("action", "value", "vm_state"),
    [
        ("os-start", None, "active"),
        ("os-stop", None, "stopped"),
        ("reboot", {"type": "SOFT"}, "stopped"),
        ("pause", None, "stopped"),
        ("unpause", None, "active"),
    ],
)
def test_an_action_in_another_state_is_a_conflict(
    cloud: Cloud, server: str, action: str, value: Any, vm_state: str
) -> None:
    settle(cloud, server, **RUNNING | {"vm_state": vm_state})
    message = refusal(act(cloud, server, action, value), 409)
    verb = action.removeprefix("os-")
    assert message == f"Cannot '{verb}' instance {server} while it is in vm_state {vm_state}"


@pytest.mark.parametrize("row", ACTIONS, ids=lambda row: row[0])
def test_actions_need_a_member_of_the_project_and_no_lock(cloud: Cloud, server: str, row: tuple[Any, ...]) -> None:
    action, value, _, _, vm_state, _ = row
    settle(cloud, server, **RUNNING | {"vm_state": vm_state})
    assert act(cloud, server, action, value, token=READER).status_code == 403
    assert act(cloud, server, action, value, token="u9:p9").status_code == 404
    act(cloud, server, "lock")
    assert refusal(act(cloud, server, action, value), 409) == f"Instance {server} is locked"
    assert act(cloud, server, action, value, token=ADMIN).status_code == 202


@pytest.mark.parametrize(
    ("document", "version", "says"),
    [
        ({"reboot": {"type": "gently"}}, "2.1", "type"),
        ({"reboot": {}}, "2.1", "type"),
        ({"reboot": {"type": "soft", "now": 1}}, "2.1", "now"),
        ({"reboot": None}, "2.1", "reboot"),
        ({"reboot": {"type": "SOFT"}}, "3.0", "type"),
        ({"start": {}}, "3.0", "start"),
        ({"os-start": None}, "3.0", "os-start"),
        ({"start": None}, "2.1", "start"),
        ({}, "2.1", "one action"),
        ({"os-start": None, "os-stop": None}, "2.1", "one action"),
        (["os-start"], "2.1", "action"),
        ({"os-getConsoleOutput": {"length": "ten"}}, "2.1", "length"),
        ({"os-getConsoleOutput": {"length": -2}}, "2.1", "length"),
        ({"get_console_output": {"length": -1}}, "3.0", "length"),
    ],
)
def test_malformed_actions_are_refused_with_the_name_of_the_fault(
    cloud: Cloud, server: str, document: Any, version: str, says: str
) -> None:
    answer = cloud("POST", f"/servers/{server}/action", version, json=document)
    assert answer.status_code == 400
    assert says in answer.text


def test_the_console_asks_the_agent(cloud: Cloud, server: str) -> None:
    """Without an agent, as here, it is unavailable; before the server has a host, a conflict."""
    for name, version in (("os-getConsoleOutput", "2.1"), ("get_console_output", "3.0")):
        assert act(cloud, server, name, {"length": 5}, version).status_code == 503
        assert act(cloud, server, name, {"length": 5}, version, token=READER).status_code == 403
    assert act(cloud, server, "os-getConsoleOutput", {"length": 0}).json == {"output": ""}
    cloud.set_server(server, task_state="scheduling")
    assert "is not ready" in refusal(act(cloud, server, "os-getConsoleOutput", {}), 409)


# -- lock -------------------------------------------------------------------------------------------------------------


def test_a_lock_has_a_reason_from_2_73_on(cloud: Cloud, server: str) -> None:
    assert act(cloud, server, "lock", {"locked_reason": "ignored"}, "2.72").status_code == 202
    assert (show(cloud, server)["locked"], show(cloud, server)["locked_reason"]) == (True, None)
    assert act(cloud, server, "unlock").status_code == 202
    assert act(cloud, server, "lock", {"locked_reason": "audit"}, "2.73").status_code == 202
    assert show(cloud, server)["locked_reason"] == "audit"
    assert act(cloud, server, "unlock").status_code == 202
    assert (show(cloud, server)["locked"], show(cloud, server)["locked_reason"]) == (False, None)
    for bad in ({"locked_reason": ""}, {"locked_reason": "x" * 256}, {"reason": "x"}, "x"):
        assert act(cloud, server, "lock", bad, "2.73").status_code == 400


def test_lock_and_unlock_are_done_when_3_0_answers(cloud: Cloud, server: str) -> None:
    for action, value in (("lock", {"locked_reason": "audit"}), ("unlock", None), ("lock", None)):
        answer = act(cloud, server, action, value, "3.0")
        assert (answer.status_code, answer.text) == (204, "")
        assert show(cloud, server)["locked"] is (action == "lock")


def test_an_administrators_lock_needs_an_administrator_to_undo(cloud: Cloud, server: str) -> None:
    act(cloud, server, "lock", token=ADMIN)
    message = refusal(act(cloud, server, "unlock"), 403)
    assert "os_compute_api:os-lock-server:unlock:unlock_override" in message
    assert show(cloud, server)["locked"] is True
    assert act(cloud, server, "unlock", token=ADMIN).status_code == 202


# -- evacuate: the seed exhibit ---------------------------------------------------------------------------------------


def fail_host(cloud: Cloud) -> None:
    with cloud.compute.database.write() as connection:
        (service,) = hosts.list_services(connection, "nova", 60)
        hosts.update_service(connection, service.id, {"forced_down": True})


def evacuate(cloud: Cloud, server_id: str, version: str, token: str = ADMIN, **params: Any) -> Any:
    return act(cloud, server_id, "evacuate", params, version, token=token)


@pytest.mark.parametrize(
    ("version", "params", "answer"),
    [
        ("2.1", {"onSharedStorage": "False", "adminPass": "secret"}, {"adminPass": "secret"}),
        ("2.13", {"onSharedStorage": True}, {"adminPass": None}),
        ("2.14", {"adminPass": "secret"}, None),
        ("2.28", {}, None),
        ("2.29", {"force": False}, None),
        ("2.67", {"force": "False"}, None),
        ("2.68", {}, None),
        ("2.104", {"adminPass": "secret"}, None),
        ("3.0", {"admin_password": "secret"}, None),
    ],
)
def test_evacuate_through_its_versions(
    cloud: Cloud, server: str, version: str, params: dict[str, Any], answer: dict[str, Any] | None
) -> None:
    fail_host(cloud)
    result = evacuate(cloud, server, version, **params)
    assert result.status_code == (202 if version == "3.0" else 200), result.text
    assert (result.json if result.text else None) == answer
    actions = cloud("GET", f"/servers/{server}/os-instance-actions", "2.58", ADMIN).json["instanceActions"]
    assert actions[0]["action"] == "evacuate"
    assert actions[0]["message"] == "No valid host was found. There are not enough hosts available."
    assert show(cloud, server)["status"] == "ACTIVE"


@pytest.mark.parametrize(
    ("version", "force", "stay_stopped"),
    [
        ("2.28", None, False),
        ("2.29", False, False),
        ("2.94", False, False),
        ("2.95", False, True),
        ("3.0", False, True),
    ],
)
def test_what_evacuate_means_changed_at_2_29_and_2_95(
    cloud: Cloud, server: str, version: str, force: bool | None, stay_stopped: bool
) -> None:
    """A host is checked from 2.29 on (``force`` None: taken on trust); from 2.95 on the server stays stopped."""
    fail_host(cloud)
    assert evacuate(cloud, server, version).status_code < 300
    with cloud.compute.database.read() as connection:
        args = operations.list_for_instance(connection, server)[0].args
    assert args == {"host": None, "force": force, "stay_stopped": stay_stopped}


@pytest.mark.parametrize(
    ("version", "params", "code", "says"),
    [
        ("2.1", {}, 400, "onSharedStorage"),
        ("2.1", {"onSharedStorage": True, "adminPass": "x"}, 400, "admin password can't be changed"),
        ("2.14", {"onSharedStorage": True}, 400, "onSharedStorage"),
        ("2.28", {"force": True}, 400, "2.29"),
        ("2.29", {"force": True}, 400, "Can't force to a non-provided destination"),
        ("2.68", {"force": True}, 400, "force"),
        ("2.1", {"onSharedStorage": False, "host": HOST}, 400, "The target host can't be the same one."),
        ("2.95", {"host": "elsewhere"}, 404, "Compute host elsewhere not found."),
        ("2.95", {"host": "no spaces"}, 400, "host"),
        ("2.95", {"admin_password": "x"}, 400, "admin_password"),
    ],
)
def test_evacuate_refuses(
    cloud: Cloud, server: str, version: str, params: dict[str, Any], code: int, says: str
) -> None:
    fail_host(cloud)
    assert says in refusal(evacuate(cloud, server, version, **params), code)


def test_evacuate_is_for_administrators_and_failed_hosts(cloud: Cloud, server: str) -> None:
    assert f"Compute service of {HOST} is still in use." in refusal(evacuate(cloud, server, "2.95"), 400)
    fail_host(cloud)
    assert "os_compute_api:os-evacuate" in refusal(evacuate(cloud, server, "2.95", "u1:p1"), 403)


def test_evacuate_hides_passwords_if_the_operator_does(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, api={"enable_instance_password": False})
    server_id = cloud.add_server("s")
    settle(cloud, server_id, **RUNNING)
    fail_host(cloud)
    assert evacuate(cloud, server_id, "2.1", onSharedStorage=False).json == {}
    cloud.close()
