"""`nova-lite network`, `port` and `security-group`: what they make, show, refuse and delete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.test_cli import NovaLite


@pytest.fixture
def nova_lite(tmp_path: Path) -> NovaLite:
    return NovaLite(tmp_path / "state")


def rows(nova_lite: NovaLite, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(nova_lite.ok(kind, "list", "--json"))
    return found


def refused(nova_lite: NovaLite, *arguments: str) -> str:
    result = nova_lite(*arguments)
    assert result.exit_code != 0
    return str(result.output)


def test_networks_are_made_shown_listed_and_deleted(nova_lite: NovaLite) -> None:
    lab = nova_lite.ok("network", "create", "lab", "--cidr", "192.168.70.0/24", "--dns", "9.9.9.9").strip()
    nova_lite.ok(
        *("network", "create", "own", "--cidr", "10.6.0.0/24", "--gateway", "10.6.0.254"),
        *("--pool", "10.6.0.10-10.6.0.20", "--project", "demo", "--default"),
    )
    shown = json.loads(nova_lite.ok("network", "show", "lab"))
    assert (shown["id"], shown["gateway_ip"], shown["dns_servers"]) == (lab, "192.168.70.1", ["9.9.9.9"])
    assert (shown["pool_start"], shown["pool_end"], shown["ports"]) == ("192.168.70.2", "192.168.70.254", 0)
    assert [(row["name"], row["is_default"]) for row in rows(nova_lite, "network")] == [("lab", False), ("own", True)]
    assert "192.168.70.0/24" in nova_lite.ok("network", "list")
    nova_lite.ok("network", "delete", lab)
    assert [row["name"] for row in rows(nova_lite, "network")] == ["own"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("create", "two", "--cidr", "10.5.0.128/25"), "overlaps 10.5.0.0/24 of the network one"),
        (("create", "two", "--cidr", "10.6.0.0/31"), "cidr: "),
        (("create", "two", "--cidr", "10.6.0.0/24", "--pool", "10.6.0.9"), "is not FIRST-LAST"),
        (("create", "two", "--cidr", "10.6.0.0/24", "--gateway", "10.7.0.1"), "gateway: "),
        (("create", "two"), "--cidr"),
        (("show", "nobody"), "Network nobody could not be found."),
        (("delete", "nobody"), "Network nobody could not be found."),
    ],
)
def test_networks_that_cannot_be(nova_lite: NovaLite, arguments: tuple[str, ...], text: str) -> None:
    nova_lite.ok("network", "create", "one", "--cidr", "10.5.0.0/24")
    assert text in refused(nova_lite, "network", *arguments)


def test_ports_are_made_listed_and_deleted(nova_lite: NovaLite) -> None:
    nova_lite.ok("network", "create", "lab", "--cidr", "10.5.0.0/24")
    one = nova_lite.ok("port", "create", "lab", "--fixed-ip", "10.5.0.50").strip()
    nova_lite.ok("port", "create", "lab", "--project", "demo")
    found = {row["id"]: row for row in rows(nova_lite, "port")}
    assert (found[one]["addresses"], found[one]["security_groups"], found[one]["server"]) == (
        "10.5.0.50",
        "default",
        None,
    )
    assert {row["addresses"] for row in found.values()} == {"10.5.0.50", "10.5.0.2"}
    assert "already in use" in refused(nova_lite, "port", "create", "lab", "--fixed-ip", "10.5.0.50")
    assert "is the gateway" in refused(nova_lite, "port", "create", "lab", "--fixed-ip", "10.5.0.1")
    assert "not a valid ip" in refused(nova_lite, "port", "create", "lab", "--fixed-ip", "10.6.0.1")
    assert "in use by 2 ports" in refused(nova_lite, "network", "delete", "lab")
    assert "Security group web not found" in refused(nova_lite, "port", "create", "lab", "--security-group", "web")
    nova_lite.ok("port", "delete", one)
    assert "could not be found" in refused(nova_lite, "port", "delete", one)
    nova_lite.ok("port", "create", "lab", "--fixed-ip", "10.5.0.50")


def test_a_project_gets_no_port_on_the_network_of_another(nova_lite: NovaLite) -> None:
    nova_lite.ok("network", "create", "own", "--cidr", "10.5.0.0/24", "--project", "demo")
    assert "is not for the project" in refused(nova_lite, "port", "create", "own")
    nova_lite.ok("port", "create", "own", "--project", "demo")


def test_security_groups_and_their_rules(nova_lite: NovaLite) -> None:
    group = nova_lite.ok("security-group", "create", "web", "--description", "what is public").strip()
    ssh = nova_lite.ok("security-group", "allow", "web", "--protocol", "tcp", "--port", "22").strip().splitlines()[-1]
    nova_lite.ok("security-group", "allow", group, "--protocol", "icmp", "--remote-group", "default")
    web = [row for row in rows(nova_lite, "security-group") if row["group"] == "web"]
    assert [(row["direction"], row["protocol"], row["port_range_min"]) for row in web if row["id"] == ssh] == [
        ("ingress", "tcp", 22)
    ]
    assert len(web) == 3  # these, and that everything may go out
    assert "already exists" in refused(nova_lite, "security-group", "create", "web")
    nova_lite.ok("security-group", "forbid", ssh)
    assert "could not be found" in refused(nova_lite, "security-group", "forbid", ssh)
    nova_lite.ok("security-group", "delete", "default")  # and the rule of the other that names it
    assert [row["direction"] for row in rows(nova_lite, "security-group")] == ["egress"]  # what is left of web
    nova_lite.ok("security-group", "delete", "web")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("allow", "nobody"), "Security group nobody not found"),
        (("allow", "default", "--protocol", "tcp", "--port", "70000"), "port: "),
        (("allow", "default", "--port", "22"), "port: "),
        (("allow", "default", "--remote-ip", "fd00::/8"), "remote_ip: "),
        (("allow", "default", "--protocol", "words"), "protocol: "),
        (("allow", "default", "--remote-group", "nobody"), "Security group nobody not found"),
        (("delete", "nobody"), "Security group nobody not found"),
    ],
)
def test_rules_that_cannot_be(nova_lite: NovaLite, arguments: tuple[str, ...], text: str) -> None:
    nova_lite.ok("security-group", "create", "other")
    assert text in refused(nova_lite, "security-group", *arguments)
