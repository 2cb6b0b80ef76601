"""Limits: which are shown at which version, what is used, and whose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.cloud import ADMIN, MEMBER, NOBODY, READER, Cloud

NETWORK = {
    *("maxSecurityGroups", "maxSecurityGroupRules", "maxTotalFloatingIps"),
    *("totalFloatingIpsUsed", "totalSecurityGroupsUsed"),
}
FILES = {"maxPersonality", "maxPersonalitySize"}
ALWAYS = {
    *("maxServerMeta", "maxServerGroups", "maxServerGroupMembers", "maxTotalCores", "maxTotalInstances"),
    *("maxTotalKeypairs", "maxTotalRAMSize", "totalCoresUsed", "totalInstancesUsed", "totalRAMUsed"),
    "totalServerGroupsUsed",
}


def absolute(cloud: Cloud, version: str = "2.57", query: str = "", token: str = MEMBER) -> dict[str, Any]:
    answer = cloud("GET", f"/limits{query}", version, token)
    assert answer.status_code == 200, answer.text
    assert answer.json["limits"]["rate"] == []
    return answer.json["limits"]["absolute"]


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", ALWAYS | NETWORK | FILES | {"maxImageMeta"}),
        ("2.35", ALWAYS | NETWORK | FILES | {"maxImageMeta"}),
        ("2.36", ALWAYS | FILES | {"maxImageMeta"}),
        ("2.38", ALWAYS | FILES | {"maxImageMeta"}),
        ("2.39", ALWAYS | FILES),
        ("2.56", ALWAYS | FILES),
        ("2.57", ALWAYS),
        ("2.104", ALWAYS),
    ],
)
def test_what_the_limits_are(cloud: Cloud, version: str, keys: set[str]) -> None:
    found = absolute(cloud, version)
    assert set(found) == keys
    assert all(type(value) is int for value in found.values())


def test_what_is_used_is_counted(cloud: Cloud) -> None:
    cloud.add_server("one", "p1", "2")
    cloud.add_server("other", "p2", "1")
    found = absolute(cloud)
    assert (found["totalInstancesUsed"], found["totalCoresUsed"], found["totalRAMUsed"]) == (1, 1, 2048)
    assert (found["maxTotalInstances"], found["maxTotalCores"], found["maxTotalRAMSize"]) == (10, 20, 51200)


def test_3_0_has_limit_and_use_side_by_side(cloud: Cloud) -> None:
    cloud.add_server("one", "p1", "2")
    limits = cloud("GET", "/limits", "3.0").json["limits"]
    assert limits["ram"] == {"limit": 51200, "used": 2048}
    assert limits["key_pairs"] == {"limit": 100}
    assert set(limits) == {
        *("instances", "cores", "ram", "server_groups", "key_pairs", "metadata_items", "server_group_members"),
    }


def test_administrators_see_other_projects(cloud: Cloud) -> None:
    cloud.add_server("one", "p1")
    assert absolute(cloud, token=ADMIN)["totalInstancesUsed"] == 0
    for version in ("2.1", "2.104"):
        assert absolute(cloud, version, "?tenant_id=p1", ADMIN)["totalInstancesUsed"] == 1
    assert cloud("GET", "/limits?project_id=p1", "3.0", ADMIN).json["limits"]["instances"]["used"] == 1


@pytest.mark.parametrize("token", [MEMBER, READER, NOBODY])
def test_others_see_their_own_only(cloud: Cloud, token: str) -> None:
    assert absolute(cloud, token=token)
    refused = cloud("GET", "/limits?tenant_id=p2", "2.1", token)
    assert refused.status_code == 403
    assert "os_compute_api:limits:other_project" in refused.json["forbidden"]["message"]
    assert cloud("GET", "/limits?project_id=p2", "3.0", token).status_code == 403


def test_unknown_queries_are_refused_from_2_75_on(cloud: Cloud) -> None:
    absolute(cloud, "2.74", "?reserved=1")
    for version in ("2.75", "3.0"):
        assert cloud("GET", "/limits?reserved=1", version).status_code == 400
