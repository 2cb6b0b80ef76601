"""Addresses, network cards and security groups of servers over HTTP, at the versions that show them differently."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite.compute import group_rules, networks
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db import security_groups as db_groups
from nova_lite.db.times import now
from tests.functional.cloud import HOST, IMAGE_ID, READER, Cloud

STRANGER = "u9:p9"
MISSING = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


@pytest.fixture
def network(cloud: Cloud) -> Any:
    return networks.create_network(cloud.compute.database, HOST, "private", "10.5.0.0/24", is_default=True)


@pytest.fixture
def server(cloud: Cloud, network: Any) -> str:
    return active(cloud, cloud.add_server("one"))


def active(cloud: Cloud, server: str) -> str:
    cloud.set_server(server, vm_state="active", task_state=None, power_state=1, launched_at=now())
    return server


def make_port(cloud: Cloud, network: Any, address: str | None = None, project: str = "p1") -> str:
    database = cloud.compute.database
    with database.write() as connection:
        groups = networks.groups_of(database, connection, project, None)
        return networks.make_port(database, connection, network, address, project, groups, preserve=True)


def message(answer: Any) -> str:
    return str(next(iter(answer.json.values()))["message"])


@pytest.mark.parametrize("version", ["2.1", "2.37", "2.104"])
def test_a_server_shows_its_addresses(cloud: Cloud, server: str, version: str) -> None:
    shown = cloud("GET", f"/servers/{server}", version).json["server"]
    ((label, (address,)),) = shown["addresses"].items()
    assert label == "private"
    mac = address.pop("OS-EXT-IPS-MAC:mac_addr")
    assert mac.startswith("fa:16:3e:")
    assert address == {"version": 4, "addr": "10.5.0.2", "OS-EXT-IPS:type": "fixed"}
    assert shown["security_groups"] == [{"name": "default"}]
    (listed,) = cloud("GET", "/servers/detail", version).json["servers"]
    assert listed["addresses"]["private"][0]["addr"] == "10.5.0.2"


def test_a_changed_server_shows_no_more_than_addresses_until_2_74(cloud: Cloud, server: str) -> None:
    bare = {"version": 4, "addr": "10.5.0.2"}
    for version, more in (("2.1", False), ("2.74", False), ("2.75", True)):
        updated = cloud("PUT", f"/servers/{server}", version, json={"server": {"name": "new"}})
        rebuilt = cloud(
            "POST", f"/servers/{server}/action", version, json={"rebuild": {"imageRef": IMAGE_ID}}
        )
        for answer in (updated, rebuilt):
            (address,) = answer.json["server"]["addresses"]["private"]
            assert (address.keys() > bare.keys()) if more else address == bare
        active(cloud, server)


def test_v3_shows_addresses_under_plain_names(cloud: Cloud, server: str) -> None:
    ((address,),) = cloud("GET", f"/servers/{server}", "3.0").json["server"]["addresses"].values()
    assert address.keys() == {"version", "addr", "type", "mac_addr"}
    index = cloud("GET", f"/servers/{server}/ips", "3.0").json
    assert index == {"addresses": {"private": [address]}}
    assert cloud("GET", f"/servers/{server}/ips/private", "3.0").json == {"network": "private", "addresses": [address]}


@pytest.mark.parametrize("version", ["2.1", "2.37", "2.104"])
def test_addresses_by_network(cloud: Cloud, server: str, version: str) -> None:
    expected = {"private": [{"version": 4, "addr": "10.5.0.2"}]}
    assert cloud("GET", f"/servers/{server}/ips", version).json == {"addresses": expected}
    assert cloud("GET", f"/servers/{server}/ips/private", version, token=READER).json == expected
    missing = cloud("GET", f"/servers/{server}/ips/public", version)
    assert missing.status_code == 404 and message(missing) == "Instance is not a member of specified network"
    assert cloud("GET", f"/servers/{server}/ips", version, token=STRANGER).status_code == 404


def test_unknown_queries_are_refused_from_2_102_on(cloud: Cloud, server: str) -> None:
    for path in ("ips", "ips/private", "os-interface", "os-security-groups"):
        assert cloud("GET", f"/servers/{server}/{path}?x=1", "2.101").status_code == 200, path
        assert cloud("GET", f"/servers/{server}/{path}?x=1", "2.102").status_code == 400, path


def create(cloud: Cloud, version: str = "2.37", **server: Any) -> Any:
    body = {"server": {"name": "two", "imageRef": IMAGE_ID, "flavorRef": "42", **server}}
    return cloud("POST", "/servers", version, json=body)


def addresses(cloud: Cloud, server: str) -> list[str]:
    found = cloud("GET", f"/servers/{server}/ips", "2.1").json["addresses"]
    return [item["addr"] for items in found.values() for item in items]


def test_auto_none_and_absent_networks(cloud: Cloud, network: Any) -> None:
    def made(version: str, **wanted: Any) -> list[str]:
        answer = create(cloud, version, **wanted)
        assert answer.status_code == 202, answer.text
        return addresses(cloud, answer.json["server"]["id"])

    assert made("2.1") == ["10.5.0.2"]
    assert made("2.37", networks="auto") == ["10.5.0.3"]
    assert made("2.37", networks="none") == []
    assert made("2.104", networks=[{"uuid": network.id, "fixed_ip": "10.5.0.99"}]) == ["10.5.0.99"]
    assert create(cloud, "2.37").status_code == 400
    assert create(cloud, "2.36", networks="auto").status_code == 400


def test_a_server_with_a_port_that_was_there(cloud: Cloud, network: Any) -> None:
    port = make_port(cloud, network, "10.5.0.77")
    answer = create(cloud, networks=[{"port": port}])
    assert answer.status_code == 202, answer.text
    server = answer.json["server"]["id"]
    (card,) = cloud("GET", f"/servers/{server}/os-interface", "2.1").json["interfaceAttachments"]
    assert (card["port_id"], card["fixed_ips"][0]["ip_address"]) == (port, "10.5.0.77")
    again = create(cloud, networks=[{"port": port}])
    assert again.status_code == 409 and message(again) == f"Port {port} is still in use."
    twins = create(cloud, networks=[{"port": make_port(cloud, network)}], max_count=2)
    assert twins.status_code == 400
    foreign = make_port(cloud, network, project="p9")
    assert create(cloud, networks=[{"port": foreign}]).status_code == 400
    taken = create(cloud, networks=[{"uuid": network.id, "fixed_ip": "10.5.0.77"}])
    assert taken.status_code == 400 and "already in use" in message(taken)


def test_cards_are_listed_and_shown_with_their_tags_from_2_70_on(cloud: Cloud, network: Any) -> None:
    server = create(cloud, "2.42", networks=[{"uuid": network.id, "tag": "front"}]).json["server"]["id"]
    (card,) = cloud("GET", f"/servers/{server}/os-interface", "2.69").json["interfaceAttachments"]
    assert card.keys() == {"port_state", "fixed_ips", "port_id", "net_id", "mac_addr"}
    assert card["net_id"] == network.id and card["port_state"] == "DOWN"  # nothing runs yet
    assert card["fixed_ips"] == [{"ip_address": "10.5.0.2", "subnet_id": network.subnet_id}]
    active(cloud, server)
    path = f"/servers/{server}/os-interface/{card['port_id']}"
    shown = cloud("GET", path, "2.70").json["interfaceAttachment"]
    assert shown == card | {"port_state": "ACTIVE", "tag": "front"}
    assert cloud("GET", f"/servers/{server}/os-interface/{MISSING}", "2.70").status_code == 404
    v3 = cloud("GET", f"/servers/{server}/interfaces/{card['port_id']}", "3.0").json["interface"]
    assert v3.keys() == {"port_state", "fixed_ips", "port_id", "network_id", "mac_address", "tag"}
    (listed,) = cloud("GET", f"/servers/{server}/interfaces", "3.0").json["interfaces"]
    assert listed == v3


def attach(cloud: Cloud, server: str, version: str = "2.104", token: str = "u1:p1", **wanted: Any) -> Any:
    body = {"interfaceAttachment": wanted} if wanted else {}
    return cloud("POST", f"/servers/{server}/os-interface", version, token, json=body)


def test_attaching_by_network_by_port_and_by_nothing(cloud: Cloud, server: str, network: Any) -> None:
    first = attach(cloud, server, net_id=network.id, fixed_ips=[{"ip_address": "10.5.0.50"}], tag="back")
    assert first.status_code == 200, first.text
    made = first.json["interfaceAttachment"]
    assert made["port_state"] == "DOWN" and made["tag"] == "back"  # the guest gets it at its next start
    port = make_port(cloud, network, "10.5.0.60")
    assert attach(cloud, server, "2.1", port_id=port).json["interfaceAttachment"]["port_id"] == port
    assert attach(cloud, server, "2.1").status_code == 200
    v3 = cloud("POST", f"/servers/{server}/interfaces", "3.0", json={"interface": {"network_id": network.id}})
    assert v3.status_code == 202 and v3.json["interface"]["fixed_ips"][0]["ip_address"] == "10.5.0.4"
    assert addresses(cloud, server) == ["10.5.0.2", "10.5.0.50", "10.5.0.60", "10.5.0.3", "10.5.0.4"]
    actions = cloud("GET", f"/servers/{server}/os-instance-actions", "2.104").json["instanceActions"]
    assert [action["action"] for action in actions].count("attach_interface") == 4


@pytest.mark.parametrize(
    ("wanted", "status", "text"),
    [
        ({"net_id": MISSING}, 404, f"Network {MISSING} could not be found."),
        ({"port_id": MISSING}, 404, f"Port id {MISSING} could not be found."),
        ({"port_id": MISSING, "net_id": MISSING}, 400, "Must not input both network_id and port_id"),
        ({"fixed_ips": [{"ip_address": "10.5.0.9"}]}, 400, "Must input network_id when request IP address"),
        ({"net_id": "NET", "fixed_ips": [{"ip_address": "10.9.0.9"}]}, 400, "is not a valid ip address"),
        ({"net_id": "NET", "fixed_ips": [{"ip_address": "10.5.0.2"}]}, 409, "is already in use"),
        ({"net_id": "NET", "fixed_ips": []}, 400, "fixed_ips"),
        ({"net_id": "private"}, 400, "net_id"),
    ],
)
def test_what_cannot_be_attached(
    cloud: Cloud, server: str, network: Any, wanted: dict[str, Any], status: int, text: str
) -> None:
    asked = {name: network.id if value == "NET" else value for name, value in wanted.items()}
    answer = attach(cloud, server, **asked)
    assert (answer.status_code, text in message(answer)) == (status, True), answer.text
    assert addresses(cloud, server) == ["10.5.0.2"]


def test_cards_are_changed_in_quiet_unlocked_servers_by_members_only(cloud: Cloud, server: str, network: Any) -> None:
    assert attach(cloud, server, token=READER, net_id=network.id).status_code == 403
    assert attach(cloud, server, token=STRANGER, net_id=network.id).status_code == 404
    assert attach(cloud, server, "2.48", net_id=network.id, tag="x").status_code == 400
    cloud.set_server(server, task_state="rebooting")
    assert attach(cloud, server, net_id=network.id).status_code == 409
    cloud.set_server(server, task_state=None, locked=True)
    assert attach(cloud, server, net_id=network.id).status_code == 409
    (card,) = cloud("GET", f"/servers/{server}/os-interface", "2.1").json["interfaceAttachments"]
    path = f"/servers/{server}/os-interface/{card['port_id']}"
    assert cloud("DELETE", path, "2.1").status_code == 409
    cloud.set_server(server, locked=False)
    assert cloud("DELETE", path, "2.1", token=READER).status_code == 403
    assert cloud("DELETE", path, "2.1").status_code == 202
    assert cloud("DELETE", f"/servers/{server}/os-interface/{MISSING}", "2.1").status_code == 404


def add_group(cloud: Cloud, name: str) -> Any:
    group = group_rules.add_group(cloud.compute.database, "p1", name, "what for")
    with cloud.compute.database.write() as connection:
        for rule in (
            group_rules.rule(group.id, "ingress", "tcp", "22", None, None),
            group_rules.rule(group.id, "ingress", "udp", None, "10.0.0.0/8", None),
            group_rules.rule(group.id, "ingress", "icmp", "8", None, group.id),
        ):
            db_groups.insert_rule(connection, rule)
    return group


def groups(cloud: Cloud, server: str) -> list[str]:
    listed = cloud("GET", f"/servers/{server}/os-security-groups", "2.1").json["security_groups"]
    return [group["name"] for group in listed]


def test_security_groups_are_added_and_removed_by_name_and_id(cloud: Cloud, server: str) -> None:
    group = add_group(cloud, "web")
    path = f"/servers/{server}/action"
    assert cloud("POST", path, "2.1", json={"addSecurityGroup": {"name": "web"}}).status_code == 202
    assert cloud("POST", path, "2.104", json={"addSecurityGroup": {"name": group.id}}).status_code == 202  # once more
    assert groups(cloud, server) == ["default", "web"]
    shown = cloud("GET", f"/servers/{server}", "2.1").json["server"]["security_groups"]
    assert shown == [{"name": "default"}, {"name": "web"}]
    assert cloud("POST", path, "2.1", json={"removeSecurityGroup": {"name": "web"}}).status_code == 202
    assert groups(cloud, server) == ["default"]
    gone = cloud("POST", path, "2.1", json={"removeSecurityGroup": {"name": "web"}})
    assert gone.status_code == 404 and "not associated with the instance" in message(gone)
    for name in ("nobody", "x" * 300):
        assert cloud("POST", path, "2.1", json={"addSecurityGroup": {"name": name}}).status_code == 404
    assert cloud("POST", path, "2.1", json={"addSecurityGroup": {"name": ""}}).status_code == 400
    assert cloud("POST", path, "2.1", READER, json={"addSecurityGroup": {"name": "web"}}).status_code == 403
    v3 = cloud("POST", path, "3.0", json={"add_security_group": {"name": "web"}})
    assert v3.status_code == 202 and groups(cloud, server) == ["default", "web"]


def test_rules_of_a_servers_groups_have_their_old_form_in_2_x(cloud: Cloud, server: str) -> None:
    group = add_group(cloud, "web")
    cloud("POST", f"/servers/{server}/action", "2.1", json={"addSecurityGroup": {"name": "web"}})
    listed = cloud("GET", f"/servers/{server}/os-security-groups", "2.1").json["security_groups"]
    web = listed[1]
    assert (web["name"], web["description"], web["tenant_id"]) == ("web", "what for", "p1")
    rules = [{key: value for key, value in rule.items() if key != "id"} for rule in web["rules"]]
    base = {"parent_group_id": group.id}
    expected = [
        base | {"ip_protocol": "tcp", "from_port": 22, "to_port": 22, "ip_range": {"cidr": "0.0.0.0/0"}, "group": {}},
        base
        | {"ip_protocol": "udp", "from_port": 1, "to_port": 65535, "ip_range": {"cidr": "10.0.0.0/8"}, "group": {}},
        base
        | {"ip_protocol": "icmp", "from_port": 8, "to_port": -1, "ip_range": {}}
        | {"group": {"name": "web", "tenant_id": "p1"}},
    ]
    assert sorted(rules, key=str) == sorted(expected, key=str)
    v3 = cloud("GET", f"/servers/{server}/security-groups", "3.0").json["security_groups"][1]["rules"]
    assert sorted(rule["direction"] for rule in v3) == ["egress", "ingress", "ingress", "ingress"]


def test_a_server_without_cards_takes_no_groups(cloud: Cloud) -> None:
    server = active(cloud, cloud.add_server("bare"))
    add_group(cloud, "web")
    answer = cloud("POST", f"/servers/{server}/action", "2.1", json={"addSecurityGroup": {"name": "web"}})
    assert answer.status_code == 404 and "has no network card" in message(answer)
    assert attach(cloud, server).status_code == 400


def test_a_deleted_server_leaves_ports_that_were_there_before(cloud: Cloud, network: Any) -> None:
    port = make_port(cloud, network, "10.5.0.77")
    server = create(cloud, networks=[{"port": port}, {"uuid": network.id}]).json["server"]["id"]
    with cloud.compute.database.write() as connection:
        db_networks.release(connection, server)
        left = db_networks.all_ports(connection)
    assert [(one.id, one.device_id, one.fixed_ips) for one in left] == [(port, None, ["10.5.0.77"])]


def test_floating_ips_stand_after_the_addresses_of_cards(cloud: Cloud, server: str, network: Any) -> None:
    service, context = cloud.compute.network, RequestContext(user_id="u1", project_id="p1", roles=["member"])
    public = networks.create_network(cloud.compute.database, HOST, "public", "172.24.4.0/24", external=True)
    (port,) = cloud.compute.ports([server])[server]
    made = service.create_floating_ip(context, network_id=public.id, port_id=port.id)
    assert attach(cloud, server, net_id=network.id).status_code == 200
    ((label, shown),) = cloud("GET", f"/servers/{server}", "2.104").json["server"]["addresses"].items()
    assert label == "private"
    assert [(item["addr"], item["OS-EXT-IPS:type"]) for item in shown] == [
        ("10.5.0.2", "fixed"),
        ("10.5.0.3", "fixed"),
        ("172.24.4.2", "floating"),
    ]
    assert shown[2]["OS-EXT-IPS-MAC:mac_addr"] == port.mac_address
    assert addresses(cloud, server) == ["10.5.0.2", "10.5.0.3", "172.24.4.2"]
    v3 = cloud("GET", f"/servers/{server}/ips", "3.0").json["addresses"]["private"]
    assert [item["type"] for item in v3] == ["fixed", "fixed", "floating"]
    with cloud.compute.database.write() as connection:
        db_networks.release(connection, server)
    assert service.get_floating_ip(context, made.id).port_id is None
    assert create(cloud, networks=[{"uuid": public.id}]).status_code == 400  # servers are not on it
