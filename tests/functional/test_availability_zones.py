"""Availability zones: one zone, its hosts for administrators."""

from __future__ import annotations

import pytest

from tests.functional.cloud import ADMIN, HOST, MEMBER, NOBODY, READER, Cloud

SERVICE = {"host": HOST, "binary": "nova-compute"}


@pytest.mark.parametrize("token", [MEMBER, READER, NOBODY, ADMIN])
def test_everybody_sees_the_zones_without_hosts(cloud: Cloud, token: str) -> None:
    zone = {"zoneName": "nova", "zoneState": {"available": True}, "hosts": None}
    for version in ("2.1", "2.104"):
        answer = cloud("GET", "/os-availability-zone", version, token)
        assert (answer.status_code, answer.json) == (200, {"availabilityZoneInfo": [zone]})
    answer = cloud("GET", "/availability-zones", "3.0", token)
    assert answer.json == {"availability_zones": [{"name": "nova", "available": True}]}


def test_administrators_see_hosts_and_services(cloud: Cloud) -> None:
    (zone,) = cloud("GET", "/os-availability-zone/detail", "2.1", ADMIN).json["availabilityZoneInfo"]
    service = zone["hosts"][HOST]["nova-compute"]
    assert set(service) == {"active", "available", "updated_at"}
    assert (service["active"], service["available"]) == (True, True)
    assert not service["updated_at"].endswith("Z")
    (zone,) = cloud("GET", "/availability-zones/detail", "3.0", ADMIN).json["availability_zones"]
    (host,) = zone["hosts"]
    assert host["host"] == HOST
    assert [each["binary"] for each in host["services"]] == ["nova-compute"]
    assert host["services"][0]["updated_at"].endswith("Z")


@pytest.mark.parametrize("token", [MEMBER, READER, NOBODY])
def test_the_detailed_list_is_for_administrators(cloud: Cloud, token: str) -> None:
    assert cloud("GET", "/os-availability-zone/detail", "2.1", token).status_code == 403
    assert cloud("GET", "/availability-zones/detail", "3.0", token).status_code == 403


def test_a_zone_whose_services_are_disabled_is_not_available(cloud: Cloud) -> None:
    cloud("PUT", "/os-services/disable", "2.1", ADMIN, json=SERVICE)
    expected = {"zoneName": "nova", "zoneState": {"available": False}, "hosts": None}
    for path in ("/os-availability-zone", "/os-availability-zone/detail"):
        assert cloud("GET", path, "2.1", ADMIN).json == {"availabilityZoneInfo": [expected]}


def test_a_service_that_is_down_is_active_but_not_available(cloud: Cloud) -> None:
    cloud("PUT", "/os-services/force-down", "2.11", ADMIN, json=SERVICE | {"forced_down": True})
    (zone,) = cloud("GET", "/os-availability-zone/detail", "2.11", ADMIN).json["availabilityZoneInfo"]
    service = zone["hosts"][HOST]["nova-compute"]
    assert (service["active"], service["available"]) == (True, False)


def test_unknown_queries_are_refused_from_2_102_on(cloud: Cloud) -> None:
    for rest in ("", "/detail"):
        assert cloud("GET", f"/os-availability-zone{rest}?colour=red", "2.101", ADMIN).status_code == 200
        assert cloud("GET", f"/os-availability-zone{rest}?colour=red", "2.102", ADMIN).status_code == 400
        assert cloud("GET", f"/availability-zones{rest}?colour=red", "3.0", ADMIN).status_code == 400
