"""What the Compute API had of networks before Neutron: the proxies up to 2.35, the actions up to 2.43."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite.compute import networks
from nova_lite.db.times import now
from tests.functional.cloud import ADMIN, HOST, READER, Cloud

STRANGER = "u9:p9"
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


@pytest.fixture
def private(cloud: Cloud) -> Any:
    networks.create_network(cloud.compute.database, HOST, "public", "172.24.4.0/29", external=True)
    return networks.create_network(cloud.compute.database, HOST, "private", "10.5.0.0/29", is_default=True)


@pytest.fixture
def server(cloud: Cloud, private: Any) -> str:
    made = cloud.add_server("one")
    cloud.set_server(made, vm_state="active", task_state=None, power_state=1, launched_at=now())
    return made


def message(answer: Any) -> str:
    return str(next(iter(answer.json.values()))["message"])


def act(cloud: Cloud, server: str, version: str = "2.43", token: str = "u1:p1", **action: Any) -> Any:
    return cloud("POST", f"/servers/{server}/action", version, token, json=action)


def addresses(cloud: Cloud, server: str) -> list[str]:
    found = cloud("GET", f"/servers/{server}/ips", "2.1").json["addresses"]
    return [item["addr"] for items in found.values() for item in items]


@pytest.mark.parametrize(
    "path", ["os-networks", "os-tenant-networks", "os-floating-ips", "os-floating-ip-pools", "os-security-groups"]
)
def test_proxies_end_at_2_35(cloud: Cloud, path: str) -> None:
    assert cloud("GET", f"/{path}", "2.35").status_code == 200
    assert cloud("GET", f"/{path}", "2.36").status_code == 404
    assert cloud("GET", f"/{path}", "3.0").status_code == 404
    assert cloud("GET", f"/{path}", "2.1", token=None).status_code == 401


def test_networks_are_shown_by_id_and_label(cloud: Cloud, private: Any) -> None:
    listed = cloud("GET", "/os-networks", "2.1").json["networks"]
    assert {found["label"] for found in listed} == {"public", "private"}
    shown = cloud("GET", f"/os-networks/{private.id}", "2.1").json["network"]
    assert shown["id"] == private.id and shown["cidr"] is None and "vlan" not in shown
    assert "vlan" in cloud("GET", f"/os-networks/{private.id}", "2.1", ADMIN).json["network"]
    brief = cloud("GET", f"/os-tenant-networks/{private.id}", "2.1").json["network"]
    assert brief == {"id": private.id, "label": "private", "cidr": "None"}
    for path in ("os-networks", "os-tenant-networks"):
        missing = cloud("GET", f"/{path}/{MISSING}", "2.1")
        assert missing.status_code == 404 and message(missing) == "Network not found"


def test_a_floating_ip_from_its_pool_to_a_server_and_back(cloud: Cloud, server: str) -> None:
    assert cloud("GET", "/os-floating-ip-pools", "2.1").json == {"floating_ip_pools": [{"name": "public"}]}
    made = cloud("POST", "/os-floating-ips", "2.1", json={"pool": "public"}).json["floating_ip"]
    empty = {"fixed_ip": None, "instance_id": None, "pool": "public", "ip": "172.24.4.2"}
    assert made == empty | {"id": made["id"]}
    path = f"/os-floating-ips/{made['id']}"
    assert act(cloud, server, addFloatingIp={"address": made["ip"]}).status_code == 202
    led = made | {"fixed_ip": "10.5.0.2", "instance_id": server}
    assert cloud("GET", path, "2.35", READER).json["floating_ip"] == led
    assert cloud("GET", "/os-floating-ips", "2.1").json["floating_ips"] == [led]
    assert addresses(cloud, server) == ["10.5.0.2", made["ip"]]
    again = act(cloud, server, addFloatingIp={"address": made["ip"], "fixed_address": "10.5.0.2"})
    assert again.status_code == 202
    assert act(cloud, server, removeFloatingIp={"address": made["ip"]}).status_code == 202
    gone = act(cloud, server, removeFloatingIp={"address": made["ip"]})
    assert gone.status_code == 409 and "is not associated with instance" in message(gone)
    assert cloud("DELETE", path, "2.1", STRANGER).status_code == cloud("GET", path, "2.1", STRANGER).status_code == 404
    assert cloud("DELETE", path, "2.1", READER).status_code == 403
    assert cloud("DELETE", path, "2.1").status_code == 202
    assert cloud("GET", path, "2.1").status_code == 404


def test_what_floating_ips_cannot_do(cloud: Cloud, server: str) -> None:
    pool = cloud("POST", "/os-floating-ips", "2.1", json={"pool": "none"})
    assert pool.status_code == 404 and message(pool) == "Floating IP pool not found."
    assert cloud("GET", "/os-floating-ips/7", "2.1").status_code == 400
    assert cloud("GET", f"/os-floating-ips/{MISSING}", "2.1").status_code == 404
    for _ in range(5):
        assert cloud("POST", "/os-floating-ips", "2.1", json={}).status_code == 200
    none_left = cloud("POST", "/os-floating-ips", "2.1", json={})
    assert none_left.status_code == 404 and message(none_left) == "No more floating IPs available."
    for wanted, status in (
        ({"address": "172.24.4.99"}, 404),
        ({"address": ""}, 400),
        ({"address": "172.24.4.2", "fixed_address": "10.5.0.99"}, 400),
    ):
        assert act(cloud, server, addFloatingIp=wanted).status_code == status, wanted
    assert act(cloud, server, removeFloatingIp={"address": "172.24.4.99"}).status_code == 404
    assert act(cloud, server, token=READER, addFloatingIp={"address": "172.24.4.2"}).status_code == 403
    bare = cloud("POST", "/servers", "2.37", json={"server": _server(networks="none")}).json["server"]["id"]
    not_ready = act(cloud, bare, addFloatingIp={"address": "172.24.4.2"})
    assert not_ready.status_code == 400 and message(not_ready) == "Instance network is not ready yet"


def _server(**more: Any) -> dict[str, Any]:
    return {"name": "bare", "imageRef": "0b1f3d2e-8a55-4d8c-9c34-0d6a1f0a7c11", "flavorRef": "42", **more}


@pytest.mark.parametrize(
    "action",
    [
        {"addFloatingIp": {"address": "172.24.4.2"}},
        {"removeFloatingIp": {"address": "172.24.4.2"}},
        {"addFixedIp": {"networkId": MISSING}},
        {"removeFixedIp": {"address": "10.5.0.2"}},
    ],
)
def test_the_actions_end_at_2_43(cloud: Cloud, server: str, action: Any) -> None:
    assert act(cloud, server, "2.44", **action).status_code == 404
    assert "2.43" in message(act(cloud, server, "2.44", **action))


def test_fixed_ips_are_added_and_removed(cloud: Cloud, server: str, private: Any) -> None:
    add = {"networkId": private.id}
    assert act(cloud, server, addFixedIp=add).status_code == 202
    assert addresses(cloud, server) == ["10.5.0.2", "10.5.0.3"]
    absent = act(cloud, server, addFixedIp={"networkId": MISSING})
    assert absent.status_code == 404 and "could not be found for instance" in message(absent)
    assert act(cloud, server, removeFixedIp={"address": "10.5.0.3"}).status_code == 202
    other = act(cloud, server, removeFixedIp={"address": "10.5.0.3"})
    assert other.status_code == 400 and "does not have fixed IP '10.5.0.3'" in message(other)
    assert act(cloud, server, removeFixedIp={"address": "10.5.0.2"}).status_code == 400  # the last one
    for _ in range(4):
        assert act(cloud, server, addFixedIp=add).status_code == 202
    full = act(cloud, server, addFixedIp=add)
    assert full.status_code == 400 and "No fixed IP addresses available" in message(full)
    cloud.set_server(server, locked=True)
    assert act(cloud, server, addFixedIp=add).status_code == 409


def test_security_groups_of_a_project(cloud: Cloud, server: str) -> None:
    body = {"security_group": {"name": "web", "description": "d", "anything": 1}}
    made = cloud("POST", "/os-security-groups", "2.1", json=body).json["security_group"]
    assert (made["name"], made["description"], made["tenant_id"], made["rules"]) == ("web", "d", "p1", [])
    listed = cloud("GET", "/os-security-groups", "2.1").json["security_groups"]
    assert [group["name"] for group in listed] == ["default", "web"]
    assert [group["name"] for group in cloud("GET", "/os-security-groups?limit=1&offset=1", "2.1").json[
        "security_groups"
    ]] == ["web"]  # fmt: skip
    everybody = cloud("GET", "/os-security-groups?all_tenants=1", "2.1", ADMIN).json["security_groups"]
    assert {group["tenant_id"] for group in everybody} == {"p1", "admin"}
    assert {g["tenant_id"] for g in cloud("GET", "/os-security-groups", "2.1", ADMIN).json["security_groups"]} == {
        "admin"
    }
    path = f"/os-security-groups/{made['id']}"
    body["security_group"]["name"] = "http"
    assert cloud("PUT", path, "2.1", json=body).json["security_group"]["name"] == "http"
    assert cloud("GET", path, "2.1", READER).json["security_group"]["name"] == "http"
    for method in ("GET", "DELETE"):
        assert cloud(method, path, "2.1", STRANGER).status_code == 404
        assert cloud(method, "/os-security-groups/7", "2.1").status_code == 400
    twice = cloud("POST", "/os-security-groups", "2.1", json=body)
    assert twice.status_code == 400 and "already exists" in message(twice)
    assert act(cloud, server, addSecurityGroup={"name": "http"}).status_code == 202
    assert cloud("DELETE", path, "2.1").status_code == 400  # in use
    assert act(cloud, server, removeSecurityGroup={"name": "http"}).status_code == 202
    assert cloud("DELETE", path, "2.1").status_code == 202
    default = cloud("GET", "/os-security-groups", "2.1").json["security_groups"][0]
    assert cloud("DELETE", f"/os-security-groups/{default['id']}", "2.1").status_code == 400


def test_rules_of_security_groups(cloud: Cloud) -> None:
    default = cloud("GET", "/os-security-groups", "2.1").json["security_groups"][0]

    def add(**wanted: Any) -> Any:
        rule = {"parent_group_id": default["id"], **wanted}
        return cloud("POST", "/os-security-group-rules", "2.1", json={"security_group_rule": rule})

    ssh = add(ip_protocol="TCP", from_port="22", to_port=22, cidr="10.0.0.0/8").json["security_group_rule"]
    assert ssh == {
        "id": ssh["id"],
        "parent_group_id": default["id"],
        "ip_protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
        "ip_range": {"cidr": "10.0.0.0/8"},
        "group": {},
    }
    ping = add(ip_protocol="icmp", from_port=-1, to_port=-1).json["security_group_rule"]
    assert (ping["from_port"], ping["to_port"], ping["ip_range"]) == (-1, -1, {"cidr": "0.0.0.0/0"})
    by_group = add(ip_protocol="udp", group_id=default["id"]).json["security_group_rule"]
    assert by_group["group"] == {"name": "default", "tenant_id": "p1"} and by_group["ip_range"] == {}
    assert (by_group["from_port"], by_group["to_port"]) == (1, 65535)
    within = add(ip_protocol="tcp", from_port=7, to_port=7, cidr="10.2.3.124/24").json["security_group_rule"]
    assert within["ip_range"] == {"cidr": "10.2.3.124/24"}  # as it was written
    six = add(ip_protocol="tcp", from_port=1, to_port=2, cidr="::/0").json["security_group_rule"]
    assert six["ip_range"] == {"cidr": "::/0"}
    assert len(cloud("GET", f"/os-security-groups/{default['id']}", "2.1").json["security_group"]["rules"]) == 6
    for wrong, text in (
        ({}, "Not enough parameters"),
        ({"ip_protocol": "tcp", "from_port": 2, "to_port": 1}, "Former value cannot be greater"),
        ({"ip_protocol": "tcp", "from_port": 0, "to_port": 1}, "Valid TCP ports"),
        ({"ip_protocol": "icmp", "from_port": 256, "to_port": 1}, "the type:code must be valid"),
        ({"ip_protocol": "ah", "from_port": 1, "to_port": 1}, "Invalid IP protocol ah."),
        ({"ip_protocol": "tcp", "from_port": {}, "to_port": 1}, "must be integers"),
        ({"ip_protocol": "tcp", "from_port": 1, "to_port": 1, "cidr": "x"}, "is not a valid IP network"),
        ({"ip_protocol": "tcp", "from_port": 1, "to_port": 1, "cidr": "10.0.0.0/0"}, "Bad prefix"),
        ({"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "cidr": "10.0.0.0/8"}, "already exists"),
    ):
        answer = add(**wrong)
        assert (answer.status_code, text in message(answer)) == (400, True), (wrong, answer.text)
    assert add(parent_group_id=MISSING, ip_protocol="tcp", from_port=1, to_port=1).status_code == 404
    assert cloud("DELETE", f"/os-security-group-rules/{ssh['id']}", "2.1", STRANGER).status_code == 404
    assert cloud("DELETE", f"/os-security-group-rules/{ssh['id']}", "2.1").status_code == 202
    assert cloud("DELETE", f"/os-security-group-rules/{ssh['id']}", "2.1").status_code == 404
    assert cloud("DELETE", "/os-security-group-rules/7", "2.1").status_code == 400
