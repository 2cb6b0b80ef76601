"""Quota sets and classes: what they show and take at each version, what they limit, and whose."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.cloud import ADMIN, IMAGE_ID, MEMBER, READER, Cloud

NETWORK = {"fixed_ips", "floating_ips", "security_groups", "security_group_rules"}
FILES = {"injected_files", "injected_file_content_bytes", "injected_file_path_bytes"}
GROUPS = {"server_groups", "server_group_members"}
ALWAYS = {"instances", "cores", "ram", "metadata_items", "key_pairs"} | GROUPS


def quotas(cloud: Cloud, path: str = "p1", version: str = "2.104", token: str = ADMIN) -> dict[str, Any]:
    answer = cloud("GET", f"/os-quota-sets/{path}", version, token)
    assert answer.status_code == 200, answer.text
    return answer.json["quota_set"]


def set_quotas(cloud: Cloud, path: str = "p1", version: str = "2.104", **limits: Any) -> Any:
    return cloud("PUT", f"/os-quota-sets/{path}", version, ADMIN, json={"quota_set": limits})


def create(cloud: Cloud, token: str = MEMBER, **parameters: Any) -> Any:
    server = {"name": "web", "imageRef": IMAGE_ID, "flavorRef": "2", "networks": "none"} | parameters
    return cloud("POST", "/servers", "2.104", token, json={"server": server})


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", ALWAYS | NETWORK | FILES),
        ("2.35", ALWAYS | NETWORK | FILES),
        ("2.36", ALWAYS | FILES),
        ("2.56", ALWAYS | FILES),
        ("2.57", ALWAYS),
        ("2.104", ALWAYS),
    ],
)
def test_what_a_quota_set_shows(cloud: Cloud, version: str, keys: set[str]) -> None:
    for path in ("p1", "p1/defaults"):
        found = quotas(cloud, path, version)
        assert set(found) == keys | {"id"}
        assert found["id"] == "p1"
        assert (found["instances"], found["cores"], found["ram"]) == (10, 20, 51200)
    assert set(quotas(cloud, "p1/detail", version)) == keys | {"id"}
    answer = set_quotas(cloud, version=version, cores="21")  # as Nova: a number as text, and no id in the answer
    assert set(answer.json["quota_set"]) == keys
    assert answer.json["quota_set"]["cores"] == 21


def test_detail_counts_what_is_used(cloud: Cloud) -> None:
    cloud.add_server("one", "p1", "2")
    found = quotas(cloud, "p1/detail")
    assert found["ram"] == {"limit": 51200, "in_use": 2048, "reserved": 0}
    assert found["instances"] == {"limit": 10, "in_use": 1, "reserved": 0}
    assert found["key_pairs"]["in_use"] == 0
    assert quotas(cloud, "p1/detail?user_id=u2")["instances"]["in_use"] == 0
    shown = cloud("GET", "/quota-sets/p1/detail", "3.0", ADMIN).json["quota_set"]
    assert shown["ram"] == {"limit": 51200, "used": 2048}
    assert shown["project_id"] == "p1"


def test_a_projects_quota_limits_its_servers_and_no_others(cloud: Cloud) -> None:
    assert set_quotas(cloud, instances=1).status_code == 200
    assert create(cloud).status_code == 202
    refused = create(cloud)
    assert refused.status_code == 403
    message = "Quota exceeded for instances: Requested 1, but already used 1 of 1 instances"
    assert refused.json["forbidden"]["message"] == message
    assert create(cloud, "u1:p9:member,reader").status_code == 202
    assert set_quotas(cloud, instances=-1).status_code == 200
    assert create(cloud).status_code == 202
    limits = cloud("GET", "/limits", "2.104").json["limits"]["absolute"]
    assert (limits["maxTotalInstances"], limits["totalInstancesUsed"]) == (-1, 2)


def test_a_users_quota_limits_that_user_alone(cloud: Cloud) -> None:
    assert set_quotas(cloud, "p1?user_id=u1", cores=1).status_code == 200
    assert quotas(cloud, "p1?user_id=u1")["cores"] == 1
    assert quotas(cloud, "p1")["cores"] == 20
    assert create(cloud).status_code == 202
    assert "already used 1 of 1 cores" in create(cloud).json["forbidden"]["message"]
    assert create(cloud, "u7:p1:member,reader").status_code == 202
    assert cloud("DELETE", "/os-quota-sets/p1?user_id=u1", "2.104", ADMIN).status_code == 202
    assert create(cloud).status_code == 202


def test_the_default_class_is_everyones_who_has_none_of_their_own(cloud: Cloud) -> None:
    body = {"quota_class_set": {"instances": 0, "ram": "4096"}}
    changed = cloud("PUT", "/os-quota-class-sets/default", "2.104", ADMIN, json=body)
    assert (changed.json["quota_class_set"]["instances"], changed.json["quota_class_set"]["ram"]) == (0, 4096)
    assert quotas(cloud, "p1/defaults")["instances"] == quotas(cloud)["instances"] == 0
    assert create(cloud).status_code == 403
    set_quotas(cloud, instances=2)
    assert create(cloud).status_code == 202
    assert cloud("DELETE", "/os-quota-sets/p1", "2.104", ADMIN).status_code == 202
    assert quotas(cloud)["instances"] == 0
    other = cloud("GET", "/os-quota-class-sets/other", "2.104", ADMIN).json["quota_class_set"]
    assert (other["id"], other["instances"]) == ("other", 10)


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", (ALWAYS - GROUPS) | NETWORK | FILES),
        ("2.49", (ALWAYS - GROUPS) | NETWORK | FILES),
        ("2.50", ALWAYS | FILES),
        ("2.57", ALWAYS),
    ],
)
def test_what_a_quota_class_shows(cloud: Cloud, version: str, keys: set[str]) -> None:
    shown = cloud("GET", "/os-quota-class-sets/default", version, ADMIN).json["quota_class_set"]
    assert set(shown) == keys | {"id"}
    changed = cloud("PUT", "/os-quota-class-sets/x", version, ADMIN, json={"quota_class_set": {"cores": 1}})
    assert set(changed.json["quota_class_set"]) == keys


def test_a_limit_below_what_is_used_needs_force(cloud: Cloud) -> None:
    cloud.add_server("one", "p1", "2")
    refused = set_quotas(cloud, ram=1024, cores=5)
    assert refused.status_code == 400
    assert refused.json["badRequest"]["message"] == (
        "Quota limit 1024 for ram must be greater than or equal to already used and reserved 2048."
    )
    assert quotas(cloud)["cores"] == 20
    assert set_quotas(cloud, ram=1024, force="True").json["quota_set"]["ram"] == 1024


def test_a_users_limit_stays_within_the_projects(cloud: Cloud) -> None:
    set_quotas(cloud, instances=10)
    set_quotas(cloud, "p1?user_id=u1", instances=6)
    refused = set_quotas(cloud, "p1?user_id=u2", instances=5)
    assert refused.status_code == 400
    assert refused.json["badRequest"]["message"] == "Quota limit 5 for instances must be less than or equal to 4."
    assert set_quotas(cloud, "p1?user_id=u1", instances=9).status_code == 200
    assert set_quotas(cloud, instances=8).status_code == 400
    assert set_quotas(cloud, "p1?user_id=u2", instances=5, force=True).status_code == 200


@pytest.mark.parametrize(
    ("version", "limits"),
    [
        ("2.1", {"instances": -2}),
        ("2.1", {"instances": "many"}),
        ("2.1", {"instances": 2**31}),
        ("2.1", {"disks": 1}),
        ("2.36", {"floating_ips": 1}),
        ("2.57", {"injected_files": 1}),
    ],
)
def test_limits_that_are_none_are_refused(cloud: Cloud, version: str, limits: dict[str, Any]) -> None:
    assert set_quotas(cloud, version=version, **limits).status_code == 400
    body = {"quota_class_set": limits}
    later = "2.50" if version == "2.36" else version
    assert cloud("PUT", "/os-quota-class-sets/default", later, ADMIN, json=body).status_code == 400


def test_names_that_are_too_long_are_refused(cloud: Cloud) -> None:
    assert set_quotas(cloud, "p" * 256, cores=1).status_code == 400
    assert set_quotas(cloud, f"p?user_id={'u' * 256}", cores=1).status_code == 400
    body = {"quota_class_set": {"cores": 1}}
    assert cloud("PUT", f"/os-quota-class-sets/{'c' * 256}", "2.104", ADMIN, json=body).status_code == 400


def test_metadata_files_and_keypairs_have_their_limits(cloud: Cloud) -> None:
    set_quotas(cloud, version="2.1", metadata_items=1, injected_files=0, key_pairs=1)
    assert create(cloud, metadata={"a": "1", "b": "2"}).status_code == 403
    assert create(cloud, metadata={"a": "1"}).status_code == 202
    file = {"path": "/etc/motd", "contents": "aGVsbG8="}
    server = {"name": "web", "imageRef": IMAGE_ID, "flavorRef": "42", "personality": [file]}
    assert cloud("POST", "/servers", "2.1", json={"server": server}).status_code == 403
    for name, status in (("one", 200), ("two", 403)):
        assert cloud("POST", "/os-keypairs", "2.1", json={"keypair": {"name": name}}).status_code == status


def test_who_may_see_and_change_quotas(cloud: Cloud) -> None:
    for token in (MEMBER, READER):
        assert quotas(cloud, "p1", token=token)
        assert quotas(cloud, "p1/detail", token=token)
        assert quotas(cloud, "p2/defaults", token=token)["id"] == "p2"
        assert cloud("GET", "/os-quota-sets/p2", "2.104", token).status_code == 403
        assert cloud("GET", "/os-quota-sets/p2/detail", "2.104", token).status_code == 403
        body = {"quota_set": {"cores": 1}}
        assert cloud("PUT", "/os-quota-sets/p1", "2.104", token, json=body).status_code == 403
        assert cloud("DELETE", "/os-quota-sets/p1", "2.104", token).status_code == 403
        assert cloud("GET", "/os-quota-class-sets/default", "2.104", token).status_code == 403


def test_unknown_queries_are_refused_from_2_75_on(cloud: Cloud) -> None:
    assert cloud("GET", "/os-quota-sets/p1?x=1", "2.74", ADMIN).status_code == 200
    assert cloud("GET", "/os-quota-sets/p1?x=1", "2.75", ADMIN).status_code == 400
