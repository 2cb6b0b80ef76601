"""python-openstackclient: a user's day, from the first image to the last server."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import Clients

HERE = Path(__file__).parent


def status(clients: Clients, server: str) -> str:
    return str(clients.openstack("server", "show", server)["status"])


def test_a_server_from_its_creation_to_its_end(clients: Clients) -> None:
    openstack = clients.openstack
    assert openstack("token", "issue")["project_id"]
    assert {"compute", "identity", "image", "network"} <= {row["Type"] for row in openstack("catalog", "list")}
    image = clients.cloud.images[0]
    openstack("keypair", "create", "mine")
    openstack("security", "group", "create", "web")
    openstack("security", "group", "rule", "create", "web", "--protocol", "tcp", "--dst-port", "80")
    openstack("server", "group", "create", "together", "--policy", "affinity")
    wanted = ("--image", image, "--flavor", clients.flavor, "--network", clients.network, "--key-name", "mine")
    made = openstack("server", "create", *wanted, "--security-group", "web", "--property", "a=b", "--wait", "one")
    assert (made["status"], made["key_name"]) == ("ACTIVE", "mine")
    assert made["addresses"][clients.network]
    assert [row["Name"] for row in openstack("server", "list", "--long")] == ["one"]
    assert "line 3 of a server" in openstack("console", "log", "show", "one")
    assert openstack("console", "url", "show", "--serial", "one")["url"].startswith("ws://")
    for verb, becomes in (
        ("pause", "PAUSED"), ("unpause", "ACTIVE"), ("suspend", "SUSPENDED"), ("resume", "ACTIVE"),
        ("lock", "ACTIVE"), ("unlock", "ACTIVE"),
    ):  # fmt: skip
        openstack("server", verb, "one")
        wait_for(clients, "one", becomes)
    openstack("server", "reboot", "--hard", "--wait", "one")
    openstack("server", "rebuild", "--wait", "one")
    openstack("server", "resize", "--flavor", "tempest-alt", "--wait", "one")
    openstack("server", "resize", "confirm", "one")
    wait_for(clients, "one", "ACTIVE")
    openstack("server", "set", "--name", "uno", "--property", "c=d", "one")
    shown = openstack("server", "show", "uno")
    assert shown["properties"] == {"a": "b", "c": "d"}
    openstack("volume", "create", "--size", "1", "data")
    wait_until(clients, lambda: openstack("volume", "show", "data")["status"] == "available")
    openstack("server", "add", "volume", "uno", "data")
    wait_until(clients, lambda: openstack("volume", "show", "data")["status"] == "in-use")
    openstack("server", "remove", "volume", "uno", "data")
    wait_until(clients, lambda: openstack("volume", "show", "data")["status"] == "available")
    address = openstack("floating", "ip", "create", "public")["floating_ip_address"]
    openstack("server", "add", "floating", "ip", "uno", address)
    assert address in str(openstack("server", "show", "uno")["addresses"])
    openstack("server", "image", "create", "--name", "copy", "--wait", "uno")
    assert openstack("image", "show", "copy")["status"] == "active"
    actions = {row["Action"] for row in openstack("server", "event", "list", "uno")}
    assert {"create", "pause", "suspend", "reboot", "rebuild", "resize", "confirmResize"} <= actions
    openstack("server", "delete", "--wait", "uno")
    assert openstack("server", "list") == []
    for kind, name in (("image", "copy"), ("volume", "data"), ("keypair", "mine")):
        openstack(kind, "delete", name)
    openstack("floating", "ip", "delete", address)
    openstack("security", "group", "delete", "web")
    openstack("server", "group", "delete", "together")


def test_what_administrators_look_at(clients: Clients) -> None:
    openstack = clients.openstack
    (hypervisor,) = openstack("hypervisor", "list")
    assert hypervisor["State"] == "up"
    assert openstack("compute", "service", "list")[0]["Binary"] == "nova-compute"
    openstack("aggregate", "create", "--zone", "here", "rack")
    assert openstack("aggregate", "show", "rack")["availability_zone"] == "here"
    openstack("aggregate", "delete", "rack")
    assert openstack("quota", "show", "--compute")
    openstack("usage", "list")
    assert openstack("flavor", "list") and openstack("network", "list") and openstack("project", "list")
    assert openstack("availability", "zone", "list", "--compute")


def test_what_else_can_be_said_to_it(clients: Clients) -> None:
    commands = (HERE / "commands.txt").read_text()
    assert clients.run("python", str(HERE / "with_openstackclient.py"), given=commands, patience=1800.0)


def wait_for(clients: Clients, server: str, wanted: str) -> None:
    wait_until(clients, lambda: status(clients, server) == wanted)


def wait_until(clients: Clients, question) -> None:  # type: ignore[no-untyped-def]
    """A client has no event to wait for: ask again, each time by a new process."""
    for _ in range(60):
        if question():
            return
    raise AssertionError("it never came to that")
