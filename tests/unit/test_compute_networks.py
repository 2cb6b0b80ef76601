"""Networks as the compute API has them: ranges, addresses, security groups, what a new server gets."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from nova_lite import exceptions
from nova_lite.compute import group_rules, networks
from nova_lite.db import networks as db_networks
from tests.unit.computing import HOST, Computing


def make(computing: Computing, name: str = "blue", cidr: str = "10.5.0.0/24", **options: Any) -> Any:
    return networks.create_network(computing.database, HOST, name, cidr, **options)


def addresses(computing: Computing, *servers: Any) -> list[str]:
    ports = computing.api.ports(server.uuid for server in servers)
    return [address for server in servers for port in ports.get(server.uuid, []) for address in port.fixed_ips]


def test_any_address_of_a_range_names_it(computing: Computing) -> None:
    assert make(computing, cidr="10.5.0.7/24").cidr == "10.5.0.0/24"


@pytest.mark.parametrize(
    ("cidr", "options", "named"),
    [
        ("words", {}, "cidr"),
        ("fd00::/64", {}, "cidr"),
        ("10.0.0.0/8", {}, "cidr"),
        ("10.5.0.0/30", {}, "cidr"),
        ("127.0.0.0/24", {}, "cidr"),
        ("224.0.0.0/24", {}, "cidr"),
        ("10.5.0.0/24", {"gateway": "10.6.0.1"}, "gateway"),
        ("10.5.0.0/24", {"gateway": "10.5.0.255"}, "gateway"),
        ("10.5.0.0/24", {"pool": ("10.5.0.9", "10.5.0.3")}, "pool"),
        ("10.5.0.0/24", {"pool": ("10.5.0.1", "10.5.0.3")}, "pool"),
        ("10.5.0.0/24", {"dns_servers": ["ns1"]}, "dns"),
    ],
)
def test_a_network_that_cannot_be_is_refused_by_field(
    computing: Computing, cidr: str, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(exceptions.Invalid, match=f"^{named}: "):
        make(computing, cidr=cidr, **options)


def test_overlapping_ranges_are_refused(computing: Computing) -> None:
    make(computing, cidr="10.5.0.0/24")
    with pytest.raises(exceptions.Conflict, match=r"overlaps 10\.5\.0\.0/24 of the network blue"):
        make(computing, "red", "10.5.0.0/20")


def test_a_server_gets_the_default_network_and_gives_its_address_back(computing: Computing) -> None:
    make(computing, is_default=True)
    make(computing, "red", "10.6.0.0/24")
    made = computing.create()
    assert addresses(computing, made) == ["10.5.0.2"]
    port = computing.api.ports([made.uuid])[made.uuid][0]
    assert (port.network_name, list(port.security_groups.values())) == ("blue", ["default"])
    with computing.database.write() as connection:
        db_networks.release(connection, made.uuid)
    assert addresses(computing, made) == []
    assert addresses(computing, computing.create()) == ["10.5.0.3"]  # the oldest comes round last


def test_networks_none_gives_none_and_several_without_a_default_are_ambiguous(computing: Computing) -> None:
    make(computing)
    make(computing, "red", "10.6.0.0/24")
    assert addresses(computing, computing.create(networks="none")) == []
    with pytest.raises(exceptions.Conflict, match="Multiple possible networks"):
        computing.create(networks="auto")


def test_cards_come_in_the_order_that_was_asked_for(computing: Computing) -> None:
    blue, red = make(computing), make(computing, "red", "10.6.0.0/24")
    made = computing.create(networks=[{"uuid": red.id, "fixed_ip": "10.6.0.77"}, {"uuid": blue.id}, {"uuid": red.id}])
    assert addresses(computing, made) == ["10.6.0.77", "10.5.0.2", "10.6.0.2"]


def test_a_full_network_puts_the_server_in_error_and_says_why(computing: Computing) -> None:
    full = make(computing, pool=("10.5.0.10", "10.5.0.11"))
    first, second, third = (computing.create() for _ in range(3))
    assert addresses(computing, first, second) == ["10.5.0.10", "10.5.0.11"]
    found = computing.get(third)
    assert found.vm_state == "error" and found.fault is not None
    assert found.fault.message.startswith(f"No fixed IP addresses available for network: {full.id}")
    assert addresses(computing, third) == []
    with computing.database.write() as connection:
        db_networks.release(connection, first.uuid)
    assert addresses(computing, computing.create()) == ["10.5.0.10"]


def test_servers_created_at_once_get_an_address_each(computing: Computing) -> None:
    make(computing, cidr="10.5.0.0/27")
    made: list[Any] = []
    threads = [threading.Thread(target=lambda: made.append(computing.create())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(addresses(computing, *made))) == 8


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"uuid": "00000000-0000-4000-8000-000000000000"}, "Network 00000000.* could not be found"),
        ({"port": "00000000-0000-4000-8000-000000000000"}, "Port id 00000000.* could not be found"),
        ({"fixed_ip": "10.6.0.9"}, "is not a valid ip address for network"),
        ({"fixed_ip": "10.5.0.0"}, "is not a valid ip address for network"),
        ({"fixed_ip": "fd00::1"}, "is not a valid ip address for network"),
        ({"fixed_ip": "10.5.0.1"}, "is the gateway"),
        ({"fixed_ip": "10.5.0.2"}, "is already in use on instance"),
    ],
)
def test_what_cannot_be_had_is_refused(computing: Computing, wanted: dict[str, str], message: str) -> None:
    blue = make(computing)
    computing.create()
    with pytest.raises(exceptions.Invalid, match=message):
        computing.create(networks=[{"uuid": blue.id} | wanted])


def test_a_network_without_a_subnet_says_what_it_lacks(computing: Computing) -> None:
    bare = computing.api.network.create_network(computing.me, name="bare")
    with pytest.raises(exceptions.Invalid, match="requires a subnet"):
        computing.create(networks=[{"uuid": bare.id}])


def test_another_projects_network_and_group_are_not_found(computing: Computing) -> None:
    private = make(computing, project_id="elsewhere")
    with pytest.raises(exceptions.Invalid, match="could not be found"):
        computing.create(networks=[{"uuid": private.id}])
    assert addresses(computing, computing.create()) == []
    group_rules.add_group(computing.database, "elsewhere", "web")
    with pytest.raises(exceptions.Invalid, match="Security group web not found"):
        computing.create(security_groups=["web"])


def test_a_network_in_use_is_not_deleted(computing: Computing) -> None:
    make(computing)
    made = computing.create()
    with pytest.raises(exceptions.Conflict, match="in use by 1 ports"):
        networks.delete_network(computing.database, "blue")
    with computing.database.write() as connection:
        db_networks.release(connection, made.uuid)
    networks.delete_network(computing.database, "blue")
    assert addresses(computing, computing.create()) == []


def test_servers_are_found_by_address(computing: Computing) -> None:
    make(computing)
    computing.create("one")
    computing.create("two")
    found = computing.api.list(computing.me, filters={"ip": r"10\.5\.0\.3$"})
    assert [server.display_name for server in found] == ["two"]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("inwards", None, None, None, None), "direction"),
        (("ingress", "tcp; drop", None, None, None), "protocol"),
        (("ingress", "256", None, None, None), "protocol"),
        (("ingress", None, "22", None, None), "port"),
        (("ingress", "tcp", "0", None, None), "port"),
        (("ingress", "tcp", "22-", None, None), "port"),
        (("ingress", "tcp", "90-80", None, None), "port"),
        (("ingress", "icmp", "256", None, None), "port"),
        (("ingress", "tcp", None, "10.0.0.1/33", None), "remote_ip"),
        (("ingress", "tcp", None, "10.0.0.0/8", "group"), "remote_ip"),
    ],
)
def test_a_rule_that_cannot_be_is_refused_by_field(words: Any, named: str) -> None:
    with pytest.raises(exceptions.Invalid, match=f"^{named}: "):
        group_rules.rule("group", *words)
