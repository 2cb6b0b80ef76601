"""os-instance-actions and operations: what was done to a server, through the versions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from nova_lite.db import operations
from nova_lite.db.tables import operations as operations_table
from tests.functional.cloud import ADMIN, HOST, MEMBER, Cloud

NAIVE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}")
START = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, str]]:
    """A server that was created, locked, and failed to stop, an hour apart each."""
    cloud = Cloud(Path(tmp_path_factory.mktemp("cloud")))
    server_id = cloud.add_server("s")
    cloud.set_server(server_id, vm_state="active", task_state=None, power_state=1, launched_at=START)
    for action in ("lock", "unlock", "os-stop"):
        cloud("POST", f"/servers/{server_id}/action", json={action: None})
    with cloud.compute.database.write() as connection:
        stop, *others = operations.list_for_instance(connection, server_id)
        operations.claim(connection, stop.id)
        event = operations.begin_event(connection, stop.id, "compute_stop_instance", HOST)
        operations.end_event(connection, event, "Error", "The machine is stuck.", "Traceback …")
        operations.finish(connection, stop.id, "failed", "Error")
        for hour, operation in enumerate(reversed([stop, *others])):
            at = START + timedelta(hours=hour)
            table = operations_table
            connection.execute(
                sa.update(table).where(table.c.id == operation.id).values(start_time=at, updated_at=at)
            )
    yield cloud, server_id
    cloud.close()


def listed(busy: tuple[Cloud, str], query: str = "", version: str = "2.104", token: str = MEMBER) -> Any:
    cloud, server_id = busy
    return cloud("GET", f"/servers/{server_id}/os-instance-actions{query}", version, token)


def shown(busy: tuple[Cloud, str], version: str, token: str = MEMBER) -> dict[str, Any]:
    cloud, server_id = busy
    request_id = listed(busy).json["instanceActions"][0]["request_id"]
    answer = cloud("GET", f"/servers/{server_id}/os-instance-actions/{request_id}", version, token)
    assert answer.status_code == 200, answer.text
    return answer.json["instanceAction"]


ACTION = {"action", "instance_uuid", "message", "project_id", "request_id", "start_time", "user_id"}
EVENT = {"event", "start_time", "finish_time", "result"}


@pytest.mark.parametrize(
    ("version", "action_keys", "member_event", "admin_event"),
    [
        ("2.1", ACTION, None, EVENT | {"traceback"}),
        ("2.50", ACTION, None, EVENT | {"traceback"}),
        ("2.51", ACTION, EVENT, EVENT | {"traceback"}),
        ("2.58", ACTION | {"updated_at"}, EVENT, EVENT | {"traceback"}),
        ("2.62", ACTION | {"updated_at"}, EVENT | {"hostId"}, EVENT | {"traceback", "hostId", "host"}),
        ("2.83", ACTION | {"updated_at"}, EVENT | {"hostId"}, EVENT | {"traceback", "hostId", "host"}),
        ("2.84", ACTION | {"updated_at"}, EVENT | {"hostId"}, EVENT | {"traceback", "hostId", "host", "details"}),
        ("2.104", ACTION | {"updated_at"}, EVENT | {"hostId"}, EVENT | {"traceback", "hostId", "host", "details"}),
    ],
)
def test_show_has_exactly_the_keys_of_its_version(
    busy: tuple[Cloud, str],
    version: str,
    action_keys: set[str],
    member_event: set[str] | None,
    admin_event: set[str],
) -> None:
    for token, event_keys in ((MEMBER, member_event), (ADMIN, admin_event)):
        action = shown(busy, version, token)
        assert set(action) == action_keys | ({"events"} if event_keys else set())
        if event_keys:
            (event,) = action["events"]
            assert set(event) == event_keys
            assert (event["event"], event["result"]) == ("compute_stop_instance", "Error")
            assert NAIVE.fullmatch(event["start_time"])
    assert set(listed(busy, version=version).json["instanceActions"][0]) == action_keys


def test_the_details_of_an_event(busy: tuple[Cloud, str]) -> None:
    (event,) = shown(busy, "2.84", ADMIN)["events"]
    assert event["host"] == HOST
    assert event["details"] == "The machine is stuck."
    assert event["traceback"] == "Traceback …"
    assert re.fullmatch("[0-9a-f]{56}", event["hostId"])
    assert shown(busy, "2.84")["start_time"] == "2026-11-01T15:00:00.000000"


def actions(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [action["action"] for action in answer.json["instanceActions"]]


def test_the_newest_comes_first_and_pages_begin_at_2_58(busy: tuple[Cloud, str]) -> None:
    everything = ["stop", "unlock", "lock", "create"]
    assert actions(listed(busy)) == everything
    assert actions(listed(busy, "?limit=1", "2.57")) == everything
    first = listed(busy, "?limit=3", "2.58")
    assert actions(first) == everything[:3]
    (link,) = first.json["links"]
    assert link["rel"] == "next"
    cloud, _ = busy
    second = cloud("GET", link["href"].partition("/v2.1")[2], "2.58")
    assert actions(second) == everything[3:]
    assert set(second.json) == {"instanceActions"}


def test_filters_by_time(busy: tuple[Cloud, str]) -> None:
    assert actions(listed(busy, "?changes-since=2026-11-01T14:00:00Z", "2.58")) == ["stop", "unlock"]
    assert actions(listed(busy, "?changes-before=2026-11-01T13:00:00Z", "2.66")) == ["lock", "create"]
    both = "?changes-since=2026-11-01T13:00:00Z&changes-before=2026-11-01T14:00:00Z"
    assert actions(listed(busy, both, "2.66")) == ["unlock", "lock"]


@pytest.mark.parametrize(
    ("query", "version"),
    [
        ("?changes-before=2026-11-01T13:00:00Z", "2.65"),
        ("?colour=red", "2.58"),
        ("?limit=1&limit=2", "2.58"),
        ("?limit=-1", "2.58"),
        ("?marker=req-none-such", "2.58"),
        ("?changes-since=yesterday", "2.58"),
        ("?changes-since=2026-11-02T00:00:00Z&changes-before=2026-11-01T00:00:00Z", "2.66"),
    ],
)
def test_bad_queries_are_refused(busy: tuple[Cloud, str], query: str, version: str) -> None:
    assert listed(busy, query, version).status_code == 400


def test_an_unknown_request_and_a_stranger_are_404(busy: tuple[Cloud, str]) -> None:
    cloud, server_id = busy
    path = f"/servers/{server_id}/os-instance-actions"
    missing = cloud("GET", f"{path}/req-none-such")
    assert missing.status_code == 404
    assert missing.json["itemNotFound"]["message"] == "Action req-none-such not found"
    assert cloud("GET", path, token="u9:p9").status_code == 404
    assert cloud("GET", path, token="u3:p1:").status_code == 403


def test_actions_of_deleted_servers_are_shown_from_2_21_on(cloud: Cloud) -> None:
    server_id = cloud.add_server("s")
    cloud.set_server(server_id, vm_state="deleted", deleted=True)
    path = f"/servers/{server_id}/os-instance-actions"
    assert cloud("GET", path, "2.20").status_code == 404
    assert [action["action"] for action in cloud("GET", path, "2.21").json["instanceActions"]] == ["create"]
    assert cloud("GET", path, "2.21", "u9:p9").status_code == 404
    assert cloud("GET", f"/servers/{server_id}/actions", "3.0").status_code == 200


def test_3_0_has_plain_names_and_zones(busy: tuple[Cloud, str]) -> None:
    cloud, server_id = busy
    page = cloud("GET", f"/servers/{server_id}/actions?limit=1", "3.0").json
    assert set(page) == {"actions", "links"}
    (action,) = page["actions"]
    assert action["start_time"] == "2026-11-01T15:00:00Z"
    assert action["server_id"] == server_id
    one = cloud("GET", f"/servers/{server_id}/actions/{action['request_id']}", "3.0", ADMIN).json["action"]
    assert set(one["events"][0]) == EVENT | {"host_id", "host", "traceback", "details"}
    assert cloud("GET", f"/servers/{server_id}/os-instance-actions", "3.0").status_code == 404


def test_an_operation_tells_how_it_ended(busy: tuple[Cloud, str]) -> None:
    cloud, server_id = busy
    with cloud.compute.database.read() as connection:
        stop = operations.list_for_instance(connection, server_id)[0]
    operation = cloud("GET", f"/operations/{stop.uuid}", "3.0").json["operation"]
    assert set(operation) == {
        *("id", "action", "server_id", "state", "message", "request_id", "created_at", "updated_at", "links"),
    }
    assert (operation["action"], operation["state"], operation["message"]) == ("stop", "failed", "Error")
    assert cloud("GET", f"/operations/{stop.uuid}", "3.0", "u9:p9").status_code == 404
    assert cloud("GET", f"/operations/{stop.uuid}", "3.0", "u3:p1:").status_code == 403
    assert cloud("GET", "/operations/none-such", "3.0").status_code == 404
    assert cloud("GET", f"/operations/{stop.uuid}", "2.104").status_code == 404
