"""Compute services: the actions of 2.1 to 2.52, the one resource of 2.53 on, and what disabling does."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.cloud import ADMIN, HOST, MEMBER, NOBODY, READER, Cloud

BASE = {"id", "binary", "host", "zone", "status", "state", "updated_at", "disabled_reason"}
NAMED = {"host": HOST, "binary": "nova-compute"}
MISSING = "0b1f3d2e-8a55-4d8c-9c34-0d6a1f0a7cff"


def services(cloud: Cloud, version: str = "2.53", query: str = "") -> list[dict[str, Any]]:
    path = "/services" if version == "3.0" else "/os-services"
    answer = cloud("GET", path + query, version, ADMIN)
    assert answer.status_code == 200, answer.text
    return answer.json["services"]


def put(cloud: Cloud, last: str, body: object, version: str = "2.53", token: str = ADMIN) -> Any:
    path = "/services/" if version == "3.0" else "/os-services/"
    return cloud("PUT", path + last, version, token, json=body)


@pytest.mark.parametrize(
    ("version", "keys", "id_type"),
    [
        ("2.1", BASE, int),
        ("2.10", BASE, int),
        ("2.11", BASE | {"forced_down"}, int),
        ("2.52", BASE | {"forced_down"}, int),
        ("2.53", BASE | {"forced_down"}, str),
        ("2.69", BASE | {"forced_down"}, str),
        ("2.104", BASE | {"forced_down"}, str),
        ("3.0", (BASE - {"zone"}) | {"forced_down", "availability_zone"}, str),
    ],
)
def test_what_a_service_shows(cloud: Cloud, version: str, keys: set[str], id_type: type) -> None:
    (service,) = services(cloud, version)
    assert set(service) == keys
    assert type(service["id"]) is id_type
    assert (service["host"], service["status"], service["state"]) == (HOST, "enabled", "up")
    assert service["updated_at"].endswith("Z") == (version == "3.0")


def test_filters(cloud: Cloud) -> None:
    for query, count in (
        (f"?host={HOST}", 1),
        ("?host=other", 0),
        ("?binary=nova-compute", 1),
        ("?binary=nova-scheduler", 0),
        ("?host=&binary=", 1),
    ):
        for version in ("2.1", "2.75", "3.0"):
            assert len(services(cloud, version, query)) == count, query
    assert cloud("GET", "/os-services?colour=red", "2.74", ADMIN).status_code == 200
    assert cloud("GET", "/os-services?colour=red", "2.75", ADMIN).status_code == 400


@pytest.mark.parametrize("version", ["2.1", "2.52"])
def test_the_actions_until_2_52(cloud: Cloud, version: str) -> None:
    disabled = put(cloud, "disable", NAMED, version)
    assert (disabled.status_code, disabled.json) == (200, {"service": NAMED | {"status": "disabled"}})
    assert services(cloud)[0]["status"] == "disabled"
    reasoned = put(cloud, "disable-log-reason", NAMED | {"disabled_reason": "disk"}, version)
    assert reasoned.json == {"service": NAMED | {"status": "disabled", "disabled_reason": "disk"}}
    assert services(cloud)[0]["disabled_reason"] == "disk"
    enabled = put(cloud, "enable", NAMED, version)
    assert enabled.json == {"service": NAMED | {"status": "enabled"}}
    (service,) = services(cloud)
    assert (service["status"], service["disabled_reason"]) == ("enabled", None)


def test_force_down_from_2_11_to_2_52(cloud: Cloud) -> None:
    body = NAMED | {"forced_down": "true"}
    down = put(cloud, "force-down", body, "2.11")
    assert (down.status_code, down.json) == (200, {"service": NAMED | {"forced_down": True}})
    (service,) = services(cloud)
    assert (service["state"], service["forced_down"]) == ("down", True)
    up = put(cloud, "force-down", NAMED | {"forced_down": False}, "2.52")
    assert up.json == {"service": NAMED | {"forced_down": False}}
    assert services(cloud)[0]["state"] == "up"
    assert "2.11" in put(cloud, "force-down", body, "2.10").json["badRequest"]["message"]
    assert put(cloud, "force-down", NAMED, "2.10").status_code == 404


@pytest.mark.parametrize(
    ("action", "body", "status", "words"),
    [
        ("fly", NAMED, 404, "Unknown action"),
        ("disable-log-reason", NAMED, 400, "Missing disabled reason field"),
        ("force-down", NAMED, 400, "Missing forced_down field"),
        ("force-down", NAMED | {"forced_down": "perhaps"}, 400, "forced_down"),
        ("enable", {"host": HOST}, 400, "binary"),
        ("enable", {"binary": "nova-compute"}, 400, "host"),
        ("enable", NAMED | {"host": "no host"}, 400, "host"),
        ("enable", NAMED | {"colour": "red"}, 400, "colour"),
        ("enable", NAMED | {"host": "other"}, 404, "Could not find binary nova-compute on host other."),
        (
            "enable",
            NAMED | {"binary": "nova-scheduler"},
            400,
            "Updating a nova-scheduler service is not supported. Only nova-compute services can be updated.",
        ),
        ("disable-log-reason", NAMED | {"disabled_reason": ""}, 400, "disabled_reason"),
        ("disable-log-reason", NAMED | {"disabled_reason": "x" * 256}, 400, "disabled_reason"),
    ],
)
def test_bad_actions(cloud: Cloud, action: str, body: dict, status: int, words: str) -> None:
    answer = put(cloud, action, body, "2.52")
    assert answer.status_code == status
    (fault,) = answer.json.values()
    assert words in fault["message"]


def test_one_resource_from_2_53_on(cloud: Cloud) -> None:
    service_id = services(cloud)[0]["id"]
    answer = put(cloud, service_id, {"status": "disabled", "disabled_reason": "disk", "forced_down": True})
    assert answer.status_code == 200
    assert answer.json["service"] == services(cloud)[0]
    changed = answer.json["service"]
    assert (changed["status"], changed["disabled_reason"], changed["forced_down"]) == ("disabled", "disk", True)
    again = put(cloud, service_id, {"status": "disabled"}).json["service"]
    assert (again["disabled_reason"], again["forced_down"]) == (None, True)
    back = put(cloud, service_id, {"status": "enabled", "forced_down": False}).json["service"]
    assert (back["status"], back["state"]) == ("enabled", "up")


def test_3_0(cloud: Cloud) -> None:
    service_id = services(cloud, "3.0")[0]["id"]
    answer = put(cloud, service_id, {"service": {"status": "disabled"}}, "3.0")
    assert (answer.status_code, answer.json["service"]["status"]) == (200, "disabled")
    assert put(cloud, service_id, {"status": "disabled"}, "3.0").status_code == 400
    assert put(cloud, service_id, {"service": {"forced_down": "true"}}, "3.0").status_code == 400


@pytest.mark.parametrize(
    ("last", "body", "status", "words"),
    [
        (None, {}, 400, "No updates were requested. Fields 'status' or 'forced_down' should be specified."),
        (None, {"disabled_reason": "x"}, 400, "No updates were requested."),
        (
            None,
            {"status": "enabled", "disabled_reason": "x"},
            400,
            "Specifying 'disabled_reason' with status 'enabled' is invalid.",
        ),
        (None, {"status": "gone"}, 400, "status"),
        (None, {"host": HOST}, 400, "host"),
        (None, [], 400, ""),
        ("enable", {"status": "enabled"}, 400, "Invalid uuid enable"),
        ("1", {"status": "enabled"}, 400, "Invalid uuid 1"),
        (MISSING, {"status": "enabled"}, 404, MISSING),
    ],
)
def test_bad_updates(cloud: Cloud, last: str | None, body: object, status: int, words: str) -> None:
    answer = put(cloud, last or services(cloud)[0]["id"], body)
    assert answer.status_code == status
    (fault,) = answer.json.values()
    assert words in fault["message"]


def test_delete_waits_for_the_servers_to_be_gone(cloud: Cloud) -> None:
    service_id = services(cloud)[0]["id"]
    cloud.add_server("here")
    refused = cloud("DELETE", f"/os-services/{service_id}", "2.53", ADMIN)
    assert refused.status_code == 409
    assert "Unable to delete compute service that is hosting instances." in refused.text
    assert len(services(cloud)) == 1


@pytest.mark.parametrize("version", ["2.1", "2.53", "3.0"])
def test_delete(cloud: Cloud, version: str) -> None:
    service_id = services(cloud, version)[0]["id"]
    path = "/services" if version == "3.0" else "/os-services"
    gone = cloud("DELETE", f"{path}/{service_id}", version, ADMIN)
    assert (gone.status_code, gone.text) == (204, "")
    assert services(cloud) == []
    assert cloud("DELETE", f"{path}/{service_id}", version, ADMIN).status_code == 404


@pytest.mark.parametrize(
    ("version", "service_id"), [("2.52", "x"), ("2.52", MISSING), ("2.52", "²"), ("2.53", "1"), ("3.0", "x")]
)
def test_delete_takes_numbers_before_2_53_and_uuids_after(cloud: Cloud, version: str, service_id: str) -> None:
    path = "/services" if version == "3.0" else "/os-services"
    assert cloud("DELETE", f"{path}/{service_id}", version, ADMIN).status_code == 400


@pytest.mark.parametrize("token", [MEMBER, READER, NOBODY])
def test_it_is_for_administrators(cloud: Cloud, token: str) -> None:
    service_id = services(cloud)[0]["id"]
    for version in ("2.1", "2.53"):
        assert cloud("GET", "/os-services", version, token).status_code == 403
        assert put(cloud, "enable", NAMED, version, token).status_code == 403
        assert cloud("DELETE", f"/os-services/{service_id}", version, token).status_code == 403
