"""Server groups at every version that changed them, their quotas, and what groups and other hints do to placement."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from nova_lite.db import hosts
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, NODE, READER, UPTIME, Cloud

STRANGER = "u9:p9"


def make_group(cloud: Cloud, policy: str, token: str = MEMBER, **more: Any) -> dict[str, Any]:
    body = {"server_group": {"name": "g", "policy": policy, **more}}
    answer = cloud("POST", "/os-server-groups", "2.64", token, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json["server_group"]


def boot(cloud: Cloud, hints: dict[str, Any] | None = None, status: int = 202, **server: Any) -> Any:
    """The servers that a request made, as they are shown; the answer itself where that was refused."""
    wanted = {"name": "s", "imageRef": IMAGE_ID, "flavorRef": "42", "networks": "none", **server}
    body = {"server": {"return_reservation_id": True} | wanted, "os:scheduler_hints": hints or {}}
    answer = cloud("POST", "/servers", "2.100", ADMIN, json=body)
    assert answer.status_code == status, answer.text
    if status != 202:
        return answer.json
    reservation = answer.json["reservation_id"]
    order = f"reservation_id={reservation}&sort_key=launch_index&sort_dir=asc"
    found = cloud("GET", f"/servers/detail?{order}", "2.100", ADMIN)
    return found.json["servers"]


def hosts_of(servers: list[dict[str, Any]]) -> list[str | None]:
    return [server["OS-EXT-SRV-ATTR:host"] for server in servers]


def add_host(cloud: Cloud, name: str, **node: Any) -> None:
    with cloud.compute.database.write() as connection:
        hosts.record_node(connection, name, NODE | node)
        hosts.heartbeat(connection, name, hosts.COMPUTE, UPTIME)


@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("2.1", {"id", "name", "policies", "members", "metadata"}),
        ("2.13", {"id", "name", "policies", "members", "metadata", "project_id", "user_id"}),
        ("2.64", {"id", "name", "policy", "rules", "members", "project_id", "user_id"}),
    ],
)
def test_a_group_is_made_shown_listed_and_deleted(cloud: Cloud, version: str, keys: set[str]) -> None:
    policy = {"policy": "affinity"} if "policy" in keys else {"policies": ["affinity"]}
    made = cloud("POST", "/os-server-groups", version, json={"server_group": {"name": "g", **policy}})
    assert made.status_code == 200
    group = made.json["server_group"]
    assert group.keys() == keys
    assert {name: group[name] for name in policy} == policy
    path = f"/os-server-groups/{group['id']}"
    assert cloud("GET", path, version, READER).json == made.json
    assert cloud("GET", "/os-server-groups", version).json == {"server_groups": [group]}
    assert cloud("GET", "/os-server-groups", version, STRANGER).json == {"server_groups": []}
    assert cloud("GET", path, version, STRANGER).status_code == 404
    assert cloud("DELETE", path, version, READER).status_code == 403
    assert cloud("DELETE", path, version).status_code == 204
    gone = cloud("DELETE", path, version)
    assert gone.status_code == 404
    assert gone.json["itemNotFound"]["message"] == f"Instance group {group['id']} could not be found."


def test_soft_policies_came_with_2_15_and_rules_with_2_64(cloud: Cloud) -> None:
    def send(version: str, **group: Any) -> int:
        return cloud("POST", "/os-server-groups", version, json={"server_group": {"name": "g", **group}}).status_code

    assert send("2.14", policies=["soft-affinity"]) == 400
    assert send("2.15", policies=["soft-affinity"]) == 200
    assert send("2.15", policies=["affinity", "anti-affinity"]) == 400
    assert send("2.64", policies=["affinity"]) == 400
    assert send("2.64", policy="affinity", rules={"max_server_per_host": 2}) == 400
    assert send("2.64", policy="anti-affinity", rules={"max_server_per_host": 0}) == 400
    assert make_group(cloud, "anti-affinity", rules={"max_server_per_host": "3"})["rules"] == {"max_server_per_host": 3}
    assert make_group(cloud, "anti-affinity")["rules"] == {}


def test_3_0_has_plain_names(cloud: Cloud) -> None:
    body = {"server_group": {"name": "g", "policy": "anti-affinity", "max_server_per_host": 2}}
    made = cloud("POST", "/server-groups", "3.0", json=body)
    assert made.status_code == 201
    assert made.json["server_group"]["max_server_per_host"] == 2
    assert cloud("GET", "/server-groups", "3.0").json["server_groups"] == [made.json["server_group"]]


def test_only_administrators_see_the_groups_of_every_project(cloud: Cloud) -> None:
    mine, other = make_group(cloud, "affinity"), make_group(cloud, "affinity", STRANGER)
    everything = cloud("GET", "/os-server-groups?all_projects=true", "2.64", ADMIN).json["server_groups"]
    assert [group["id"] for group in everything] == [mine["id"], other["id"]]
    own = cloud("GET", "/os-server-groups?all_projects=true", "2.64").json["server_groups"]
    assert [group["id"] for group in own] == [mine["id"]]
    page = cloud("GET", "/os-server-groups?all_projects=1&limit=1&offset=1", "2.64", ADMIN).json["server_groups"]
    assert [group["id"] for group in page] == [other["id"]]


def test_the_number_of_groups_and_of_members_is_limited_in_novas_words(cloud: Cloud) -> None:
    groups = [make_group(cloud, "affinity", ADMIN) for _ in range(10)]
    body = {"server_group": {"name": "g", "policy": "affinity"}}
    over = cloud("POST", "/os-server-groups", "2.64", ADMIN, json=body)
    assert (over.status_code, over.json["forbidden"]["message"]) == (403, "Quota exceeded, too many server groups.")
    used = cloud("GET", "/limits", "2.64", ADMIN).json["limits"]["absolute"]["totalServerGroupsUsed"]
    assert used == 10
    hint = {"group": groups[0]["id"]}
    cloud.compute.conf.set_override("server_group_members", 3, group="quota")
    try:
        boot(cloud, hint, min_count=2)
        refused = boot(cloud, hint, status=403, min_count=2)
        assert refused["forbidden"]["message"] == "Quota exceeded, too many servers in group"
        assert len(boot(cloud, hint)) == 1
    finally:
        cloud.compute.conf.clear_override("server_group_members", group="quota")


def test_members_come_with_the_hint_and_go_with_the_server(cloud: Cloud) -> None:
    group = make_group(cloud, "affinity", ADMIN)
    (server,) = boot(cloud, {"group": group["id"]})
    path = f"/os-server-groups/{group['id']}"
    assert cloud("GET", path, "2.64", ADMIN).json["server_group"]["members"] == [server["id"]]
    shown = cloud("GET", f"/servers/{server['id']}", "2.71", ADMIN).json["server"]
    assert shown["server_groups"] == [group["id"]]
    assert server["scheduler_hints"] == {"group": [group["id"]]}
    assert "server_groups" not in server
    cloud.set_server(server["id"], host="")  # so that nobody need carry out the delete
    assert cloud("DELETE", f"/servers/{server['id']}", "2.71", ADMIN).status_code == 204
    assert cloud("GET", path, "2.64", ADMIN).json["server_group"]["members"] == []


def test_a_server_outlives_its_group(cloud: Cloud) -> None:
    group = make_group(cloud, "affinity", ADMIN)
    (server,) = boot(cloud, {"group": group["id"]})
    assert cloud("DELETE", f"/os-server-groups/{group['id']}", "2.64", ADMIN).status_code == 204
    assert cloud("GET", f"/servers/{server['id']}", "2.71", ADMIN).json["server"]["server_groups"] == []


def test_a_group_that_the_caller_cannot_see_cannot_be_joined(cloud: Cloud) -> None:
    theirs = make_group(cloud, "affinity", STRANGER)
    body = {
        "server": {"name": "s", "imageRef": IMAGE_ID, "flavorRef": "42", "networks": "none"},
        "os:scheduler_hints": {"group": theirs["id"]},
    }
    refused = cloud("POST", "/servers", "2.64", json=body)
    assert refused.status_code == 400
    assert refused.json["badRequest"]["message"] == f"Instance group {theirs['id']} could not be found."


@pytest.mark.parametrize(
    ("policy", "rules", "placed"),
    [
        ("affinity", {}, 3),
        ("anti-affinity", {}, 1),
        ("anti-affinity", {"max_server_per_host": 2}, 2),
        ("soft-affinity", {}, 3),
        ("soft-anti-affinity", {}, 3),
    ],
)
def test_policies_on_one_host(cloud: Cloud, policy: str, rules: dict[str, int], placed: int) -> None:
    group = make_group(cloud, policy, ADMIN, **({"rules": rules} if rules else {}))
    servers = [boot(cloud, {"group": group["id"]})[0] for _ in range(3)]
    assert hosts_of(servers) == [HOST] * placed + [None] * (3 - placed)
    for server in servers[placed:]:
        assert (server["status"], server["fault"]["code"]) == ("ERROR", 500)
        assert server["fault"]["message"] == "No valid host was found. There are not enough hosts available."


def test_of_servers_made_together_all_are_placed_or_none(cloud: Cloud) -> None:
    group = make_group(cloud, "anti-affinity", ADMIN)
    servers = boot(cloud, {"group": group["id"]}, min_count=2)
    assert [server["status"] for server in servers] == ["ERROR", "ERROR"]
    assert hosts_of(servers) == [None, None]


def test_policies_on_two_hosts(cloud: Cloud) -> None:
    add_host(cloud, "host2", memory_mb=4096)
    for policy, wanted in (
        ("affinity", [HOST, HOST]),
        ("soft-affinity", [HOST, HOST]),
        ("anti-affinity", [HOST, "host2"]),
        ("soft-anti-affinity", [HOST, "host2"]),
    ):
        group = make_group(cloud, policy, ADMIN)
        assert hosts_of(boot(cloud, {"group": group["id"]}, min_count=2)) == wanted, policy


def test_hosts_by_other_servers(cloud: Cloud) -> None:
    add_host(cloud, "host2", memory_mb=4096)
    (first,) = boot(cloud)
    assert hosts_of([first]) == [HOST]
    assert hosts_of(boot(cloud, {"different_host": first["id"]})) == ["host2"]
    assert hosts_of(boot(cloud, {"same_host": [first["id"]]})) == [HOST]
    assert hosts_of(boot(cloud, {"same_host": str(uuid.uuid4())})) == [None]
    (second,) = boot(cloud, host="host2")
    assert hosts_of(boot(cloud, {"different_host": [first["id"], second["id"]]})) == [None]
    # What an administrator forces is not weighed against hints.
    forced = boot(cloud, {"different_host": first["id"]}, availability_zone=f"nova:{HOST}")
    assert hosts_of(forced) == [HOST]


@pytest.mark.parametrize(
    ("hints", "fits"),
    [
        ({"build_near_host_ip": "127.0.0.9"}, True),
        ({"build_near_host_ip": "127.0.1.9"}, False),
        ({"build_near_host_ip": "127.0.1.9", "cidr": "/16"}, True),
        ({"query": ["and", [">=", "$free_ram_mb", 1024], ["=", "$cpu_info.arch", "x86_64"]]}, True),
        ({"query": [">", "$free_ram_mb", 999999]}, False),
        ({"query": ["not", ["in", "$host", "a", HOST]]}, False),
        ({"query": ["or", ["=", "$no_such_fact", 1], ["<", "$vcpus_used", 1]]}, True),
        ({"query": ["<", "$host", 1]}, False),
        ({"unknown": "hint"}, True),
    ],
    ids=lambda value: json.dumps(value)[:60],
)
def test_hosts_by_what_they_are(cloud: Cloud, hints: dict[str, Any], fits: bool) -> None:
    sent = hints | ({"query": json.dumps(hints["query"])} if "query" in hints else {})
    assert hosts_of(boot(cloud, sent)) == [HOST if fits else None]


@pytest.mark.parametrize(
    "hints",
    [
        {"query": "{not JSON"},
        {"query": '"word"'},
        {"query": '["explode", 1]'},
        {"query": '["and", ["or", [["="], 1]]]'},
        {"query": "[" * 40 + "]" * 40},
        {"query": '["not",' * 40 + "1" + "]" * 40},
        {"query": {"an": "object"}},
        {"build_near_host_ip": "10.0.0.1", "cidr": "/99"},
        {"group": [str(uuid.UUID(int=1)), str(uuid.UUID(int=2))]},
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_hints_that_make_no_sense_are_refused_by_name(cloud: Cloud, hints: dict[str, Any]) -> None:
    message = boot(cloud, hints, status=400)["badRequest"]["message"]
    assert message.startswith("Invalid scheduler hint ")


def test_a_forced_host_that_there_is_not_leaves_the_server_in_error(cloud: Cloud) -> None:
    (server,) = boot(cloud, availability_zone="nova:elsewhere")
    assert server["status"] == "ERROR"
    assert server["fault"]["message"] == "No valid host was found. No such host - host: elsewhere node: None"
    assert boot(cloud, host="elsewhere", status=400)["badRequest"]["message"] == (
        "Compute host elsewhere could not be found."
    )
