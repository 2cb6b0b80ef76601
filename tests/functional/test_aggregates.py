"""Host aggregates: their life, the availability zones that they make, and what is refused while servers are there."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, Cloud

KEYS = {"id", "name", "availability_zone", "hosts", "metadata", "deleted", "deleted_at", "created_at", "updated_at"}


def create(cloud: Cloud, name: str = "rack", zone: str | None = None, version: str = "2.104") -> dict[str, Any]:
    answer = cloud(
        "POST", "/os-aggregates", version, ADMIN, json={"aggregate": {"name": name, "availability_zone": zone}}
    )
    assert answer.status_code == 200, answer.text
    return answer.json["aggregate"]


def act(cloud: Cloud, aggregate: dict[str, Any], action: str, **body: Any) -> Any:
    return cloud("POST", f"/os-aggregates/{aggregate['id']}/action", "2.104", ADMIN, json={action: body})


def zones(cloud: Cloud) -> list[str]:
    found = cloud("GET", "/os-availability-zone", "2.104").json["availabilityZoneInfo"]
    return [zone["zoneName"] for zone in found if zone["zoneState"]["available"]]


@pytest.mark.parametrize(("version", "keys"), [("2.1", KEYS), ("2.40", KEYS), ("2.41", KEYS | {"uuid"})])
def test_what_an_aggregate_shows(cloud: Cloud, version: str, keys: set[str]) -> None:
    made = create(cloud, "rack", "east", version)
    assert set(made) == keys - {"hosts", "metadata"}
    assert isinstance(made["id"], int)
    shown = cloud("GET", f"/os-aggregates/{made['id']}", version, ADMIN).json["aggregate"]
    assert set(shown) == keys
    assert shown["metadata"] == {"availability_zone": "east"}
    assert (shown["hosts"], shown["deleted"], shown["deleted_at"], shown["updated_at"]) == ([], False, None, None)
    assert cloud("GET", "/os-aggregates", version, ADMIN).json == {"aggregates": [shown]}
    assert cloud("DELETE", f"/os-aggregates/{made['id']}", version, ADMIN).status_code == 200
    assert cloud("GET", f"/os-aggregates/{made['id']}", version, ADMIN).status_code == 404


def test_3_0_names_aggregates_by_uuid(cloud: Cloud) -> None:
    answer = cloud("POST", "/aggregates", "3.0", ADMIN, json={"aggregate": {"name": "rack"}})
    assert answer.status_code == 201
    path = f"/aggregates/{answer.json['aggregate']['id']}"
    added = cloud("POST", f"{path}/action", "3.0", ADMIN, json={"add_host": {"host": HOST}})
    assert added.json["aggregate"]["hosts"] == [HOST]
    assert added.json["aggregate"]["created_at"].endswith("Z")
    assert cloud("GET", "/aggregates/1", "3.0", ADMIN).status_code == 400
    cloud("POST", f"{path}/action", "3.0", ADMIN, json={"remove_host": {"host": HOST}})
    assert cloud("DELETE", path, "3.0", ADMIN).status_code == 204
    assert cloud("DELETE", path, "3.0", ADMIN).status_code == 404


def test_the_zone_of_a_host_and_its_servers_follows_its_aggregate(cloud: Cloud) -> None:
    assert zones(cloud) == ["nova"]
    rack = create(cloud, "rack", "east")
    assert zones(cloud) == ["nova"]
    assert act(cloud, rack, "add_host", host=HOST).json["aggregate"]["hosts"] == [HOST]
    assert zones(cloud) == ["east"]
    assert cloud("GET", "/os-services", "2.104", ADMIN).json["services"][0]["zone"] == "east"
    detail = cloud("GET", "/os-availability-zone/detail", "2.104", ADMIN).json["availabilityZoneInfo"]
    assert list(detail[0]["hosts"]) == [HOST]

    server = {"name": "web", "imageRef": IMAGE_ID, "flavorRef": "42", "networks": "none"}
    elsewhere = cloud("POST", "/servers", "2.104", json={"server": server | {"availability_zone": "nova"}})
    assert elsewhere.status_code == 400
    assert elsewhere.json["badRequest"]["message"] == "The requested availability zone is not available"
    made = cloud("POST", "/servers", "2.104", json={"server": server | {"availability_zone": "east"}})
    shown = cloud("GET", f"/servers/{made.json['server']['id']}", "2.104").json["server"]
    assert shown["OS-EXT-AZ:availability_zone"] == shown["pinned_availability_zone"] == "east"
    assert shown["status"] == "BUILD"


def test_a_host_with_servers_keeps_its_zone(cloud: Cloud) -> None:
    cloud.add_server("web")
    east, plain = create(cloud, "rack", "east"), create(cloud, "plain")
    refused = act(cloud, east, "add_host", host=HOST)
    assert refused.status_code == 409
    assert "change from 'None' to 'east' but the host already has 1 instance(s)" in refused.text
    assert act(cloud, plain, "add_host", host=HOST).status_code == 200
    body = {"aggregate": {"availability_zone": "west"}}
    refused = cloud("PUT", f"/os-aggregates/{plain['id']}", "2.104", ADMIN, json=body)
    assert refused.status_code == 400
    assert refused.json["badRequest"]["message"] == (
        f"Cannot update aggregate {plain['id']}. Reason: One or more hosts contain instances in this zone."
    )
    refused = act(cloud, plain, "set_metadata", metadata={"availability_zone": "west"})
    assert refused.status_code == 400
    assert refused.json["badRequest"]["message"].startswith("Cannot update metadata of aggregate")
    assert act(cloud, plain, "remove_host", host=HOST).status_code == 200


def test_a_host_with_servers_is_not_taken_out_of_its_zone(cloud: Cloud) -> None:
    east = create(cloud, "rack", "east")
    act(cloud, east, "add_host", host=HOST)
    cloud.add_server("web")
    assert act(cloud, east, "remove_host", host=HOST).status_code == 409


def test_a_host_is_in_one_zone(cloud: Cloud) -> None:
    east, west, plain = create(cloud, "e", "east"), create(cloud, "w", "west"), create(cloud, "p")
    act(cloud, east, "add_host", host=HOST)
    refused = act(cloud, west, "add_host", host=HOST)
    assert refused.status_code == 409
    assert "One or more hosts already in availability zone(s) ['east']" in refused.text
    act(cloud, plain, "add_host", host=HOST)
    assert act(cloud, plain, "set_metadata", metadata={"availability_zone": "west"}).status_code == 400
    assert act(cloud, plain, "set_metadata", metadata={"availability_zone": "east"}).status_code == 200
    assert act(cloud, plain, "set_metadata", metadata={"availability_zone": None}).status_code == 400


def test_metadata_is_merged_and_null_takes_a_key_away(cloud: Cloud) -> None:
    rack = create(cloud, "rack", "east")
    assert act(cloud, rack, "set_metadata", metadata={"ssd": "true", "x": "y"}).status_code == 200
    changed = act(cloud, rack, "set_metadata", metadata={"x": None}).json["aggregate"]
    assert changed["metadata"] == {"availability_zone": "east", "ssd": "true"}
    assert changed["updated_at"]
    body = {"aggregate": {"name": " shelf ", "availability_zone": "west"}}
    changed = cloud("PUT", f"/os-aggregates/{rack['id']}", "2.104", ADMIN, json=body).json["aggregate"]
    assert (changed["name"], changed["availability_zone"], changed["metadata"]["ssd"]) == ("shelf", "west", "true")


def test_what_conflicts_or_is_not_there(cloud: Cloud) -> None:
    rack, other = create(cloud), create(cloud, "other")
    item = f"/os-aggregates/{rack['id']}"
    again = cloud("POST", "/os-aggregates", "2.104", ADMIN, json={"aggregate": {"name": "rack"}})
    assert (again.status_code, again.json["conflictingRequest"]["message"]) == (409, "Aggregate rack already exists.")
    renamed = cloud("PUT", item, "2.104", ADMIN, json={"aggregate": {"name": "other"}})
    assert renamed.status_code == 409
    assert act(cloud, rack, "add_host", host="nowhere").status_code == 404
    assert act(cloud, rack, "remove_host", host=HOST).json["itemNotFound"]["message"] == (
        f"Cannot remove host {HOST} in aggregate {rack['id']}"
    )
    act(cloud, rack, "add_host", host=HOST)
    assert act(cloud, rack, "add_host", host=HOST).status_code == 409
    full = cloud("DELETE", item, "2.104", ADMIN)
    assert (full.status_code, "Host aggregate is not empty" in full.text) == (400, True)
    assert cloud("GET", "/os-aggregates/x", "2.104", ADMIN).status_code == 400
    assert act(cloud, {"id": 99999}, "add_host", host=HOST).status_code == 404
    assert cloud("PUT", item, "2.104", ADMIN, json={"aggregate": {}}).status_code == 400
    assert cloud("DELETE", f"/os-aggregates/{other['id']}", "2.104", ADMIN).status_code == 200
    assert cloud("GET", "/os-aggregates", "2.104", MEMBER).status_code == 403


def test_images_are_cached_from_the_beginning(cloud: Cloud) -> None:
    path = f"/os-aggregates/{create(cloud)['id']}/images"
    assert cloud("POST", path, "2.80", ADMIN, json={"cache": [{"id": IMAGE_ID}]}).status_code == 404
    assert cloud("POST", path, "2.81", ADMIN, json={"cache": [{"id": IMAGE_ID}]}).status_code == 202
    assert cloud("POST", path, "2.81", ADMIN, json={"cache": [{"id": IMAGE_ID}] * 2}).status_code == 400
    assert cloud("POST", path, "2.81", ADMIN, json={"cache": []}).status_code == 400


def test_a_service_that_is_deleted_leaves_its_aggregates(cloud: Cloud) -> None:
    rack = create(cloud, "rack", "east")
    act(cloud, rack, "add_host", host=HOST)
    service = cloud("GET", "/os-services", "2.104", ADMIN).json["services"][0]
    assert cloud("DELETE", f"/os-services/{service['id']}", "2.104", ADMIN).status_code == 204
    assert cloud("GET", f"/os-aggregates/{rack['id']}", "2.104", ADMIN).json["aggregate"]["hosts"] == []


def test_a_shelved_server_comes_back_into_the_zone_of_its_host(cloud: Cloud) -> None:
    server = cloud.add_server("web")
    shelved = {"vm_state": "shelved_offloaded", "task_state": None, "host": "", "launched_at": datetime.now(UTC)}
    cloud.set_server(server, **shelved, system_metadata={"shelved_host": HOST, "shelved_image_id": IMAGE_ID})
    act(cloud, create(cloud, "rack", "east"), "add_host", host=HOST)
    path = f"/servers/{server}/action"
    away = cloud("POST", path, "2.77", json={"unshelve": {"availability_zone": "nova"}})
    assert (away.status_code, "not available" in away.text) == (400, True)
    assert cloud("POST", path, "2.77", json={"unshelve": {"availability_zone": "east"}}).status_code == 202
    shown = cloud("GET", f"/servers/{server}", "2.104", ADMIN).json["server"]
    assert (shown["OS-EXT-AZ:availability_zone"], shown["OS-EXT-SRV-ATTR:host"]) == ("east", HOST)
