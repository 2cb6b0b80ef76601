"""What other services tell: events of servers, with a code for each, and snapshots that nobody here takes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.functional.cloud import ADMIN, MEMBER, Cloud

NOWHERE = "9ad2b0a3-4d1c-4d0e-8f4c-2f6a1f6f4d11"
SERVICE = "nova:service:service"


def tell(cloud: Cloud, *events: dict[str, Any], version: str = "2.104", token: str = SERVICE) -> Any:
    return cloud("POST", "/os-server-external-events", version, token, json={"events": list(events)})


@pytest.mark.parametrize(
    ("name", "since"),
    [
        ("network-changed", "2.1"),
        ("network-vif-plugged", "2.1"),
        ("network-vif-unplugged", "2.1"),
        ("network-vif-deleted", "2.1"),
        ("volume-extended", "2.51"),
        ("power-update", "2.76"),
        ("accelerator-request-bound", "2.82"),
        ("volume-reimaged", "2.93"),
    ],
)
def test_events_since_their_versions(cloud: Cloud, name: str, since: str) -> None:
    event = {"name": name, "server_uuid": cloud.add_server("web"), "tag": NOWHERE}
    answer = tell(cloud, event, version=since)
    assert answer.status_code == 200
    assert answer.json == {"events": [event | {"status": "completed", "code": 200}]}
    if since != "2.1":
        before = f"2.{int(since[2:]) - 1}"
        assert tell(cloud, event, version=before).status_code == 400


def test_each_event_has_a_code_of_its_own(cloud: Cloud) -> None:
    server, lost = cloud.add_server("web"), cloud.add_server("lost")
    cloud.set_server(lost, host="")
    answer = tell(
        cloud,
        {"name": "network-changed", "server_uuid": server, "status": "in-progress"},
        {"name": "network-changed", "server_uuid": NOWHERE},
        {"name": "power-update", "server_uuid": server},
        {"name": "network-changed", "server_uuid": lost},
    )
    assert answer.status_code == 207
    assert [(each["code"], each["status"]) for each in answer.json["events"]] == [
        (200, "completed"),
        (404, "failed"),
        (400, "failed"),
        (422, "failed"),
    ]
    assert all("tag" not in each for each in answer.json["events"])
    event = {"name": "network-changed", "server_id": server}
    assert cloud("POST", "/server-external-events", "3.0", ADMIN, json={"events": [event]}).json == {
        "events": [event | {"status": "completed", "code": 200}]
    }


def test_a_power_update_starts_and_stops(cloud: Cloud) -> None:
    server = cloud.add_server("web")

    def state() -> tuple[str, str | None]:
        shown = cloud("GET", f"/servers/{server}", "2.104", ADMIN).json["server"]
        return shown["OS-EXT-STS:vm_state"], shown["OS-EXT-STS:task_state"]

    event = {"name": "power-update", "server_uuid": server}
    cloud.set_server(server, vm_state="stopped", task_state=None, power_state=4, launched_at=datetime.now(UTC))
    assert tell(cloud, event | {"tag": "POWER_OFF"}).json["events"][0]["code"] == 200
    assert state() == ("stopped", None)
    tell(cloud, event | {"tag": "POWER_ON"})
    assert state() == ("stopped", "powering-on")
    tell(cloud, event | {"tag": "POWER_ON"})  # it is being done already
    cloud.set_server(server, vm_state="active", task_state=None, power_state=1)
    assert tell(cloud, event | {"tag": "LIGHTS_OFF"}).status_code == 200
    assert state() == ("active", None)
    tell(cloud, event | {"tag": "POWER_OFF"})
    assert state() == ("active", "powering-off")


def test_events_are_for_services(cloud: Cloud) -> None:
    event = {"name": "network-changed", "server_uuid": cloud.add_server("web")}
    assert tell(cloud, event, token=MEMBER).status_code == 403
    assert tell(cloud, event, token=ADMIN).status_code == 200
    assert tell(cloud).status_code == 400
    assert tell(cloud, event | {"status": "lost"}).status_code == 400


def test_snapshots_of_volumes_are_not_taken_here(cloud: Cloud) -> None:
    path = "/os-assisted-volume-snapshots"
    snapshot = {"volume_id": NOWHERE, "create_info": {"snapshot_id": "s", "type": "qcow2", "new_file": "f", "id": "x"}}
    refused = cloud("POST", path, "2.1", SERVICE, json={"snapshot": snapshot})
    assert (refused.status_code, NOWHERE in refused.json["badRequest"]["message"]) == (400, True)
    assert cloud("DELETE", f'{path}/s?delete_info={{"volume_id":"{NOWHERE}"}}', "2.104", SERVICE).status_code == 400
    for query in ("", "?delete_info=x", "?delete_info=[]", "?delete_info={}"):
        assert cloud("DELETE", f"{path}/s{query}", "2.1", SERVICE).status_code == 400
    assert cloud("POST", path, "2.1", MEMBER, json={"snapshot": snapshot}).status_code == 403
