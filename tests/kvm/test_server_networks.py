"""Servers with networks, through compute API, agent and VMM, in a network namespace of the test's own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nova_lite.compute import group_rules
from nova_lite.hv.kvm import KvmDriver
from nova_lite.network import links
from nova_lite.network.host import tables
from tests import netns
from tests.unit.computing import Computing, eventually

pytestmark = pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="/dev/kvm cannot be opened")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Computing]:
    options = {"enabled": True, "run_path": f"/run/nova-lite-test-{os.getpid()}", "check_interval": 0.2}
    with netns.entered():
        made = Computing(tmp_path / "state", None, network=options)
        try:
            made.start_agent(KvmDriver(made.paths))
            yield made
        finally:
            for server in made.api.list(made.admin, all_projects=True):
                made.api.delete(made.admin, server)
            eventually(lambda: not made.api.list(made.admin, all_projects=True), "every server is deleted")
            made.close()
            left = links.ours(), tables()
            Path(options["run_path"]).rmdir()
        assert left == ([], [])


def counting(service: Computing, **wanted: Any) -> Any:
    assert service.agent is not None
    image = next(image for image in service.store.list() if image.name == "counting")
    return service.running(image_ref=image.id, **wanted)


def taps() -> dict[str, dict[str, Any]]:
    shown = subprocess.run(["ip", "-json", "link", "show"], capture_output=True, text=True, check=True).stdout
    return {link["ifname"]: link for link in json.loads(shown) if link["ifname"].startswith("nlt-")}


def test_a_server_has_a_card_on_the_default_network(service: Computing) -> None:
    made = counting(service)
    ports = service.api.ports([made.uuid])[made.uuid]
    assert [port.network_name for port in ports] == ["private"]
    (tap,) = taps().values()
    assert "LOWER_UP" in tap["flags"]  # the VMM holds its other end


def test_a_reboot_and_a_new_agent_keep_the_card(service: Computing) -> None:
    made = counting(service)
    (before,) = taps()
    service.stop_agent()
    assert set(taps()) == {before}
    service.start_agent(KvmDriver(service.paths))
    service.api.reboot(service.me, service.get(made), hard=True)
    service.settled(made, "active")
    ((name, tap),) = taps().items()
    assert name == before and "LOWER_UP" in tap["flags"]


def test_a_bridge_deleted_by_hand_is_made_again(service: Computing) -> None:
    counting(service)
    (tap,) = taps().values()
    links.remove(tap["master"])
    eventually(lambda: all(link.get("master") == tap["master"] for link in taps().values()), "the bridge is back")


def test_a_deleted_server_leaves_nothing_on_the_host(service: Computing) -> None:
    made = counting(service)
    service.api.delete(service.me, made)
    eventually(lambda: service.get(made).deleted, "the server is deleted")
    assert taps() == {}
    eventually(lambda: links.ours() == [] and tables() == [], "bridge and tables are gone")


def listed_tables() -> str:
    return "".join(
        subprocess.run(["nft", "list", "table", family, name], capture_output=True, text=True, check=True).stdout
        for name in tables()
        for family in ("inet", "bridge")
    )


def test_a_card_given_to_a_running_server_is_plugged_at_once_and_stays(service: Computing) -> None:
    made = counting(service)
    (first,) = taps()
    port = service.api.attach_interface(service.me, made)
    service.settled(made, "active")
    (second,) = set(taps()) - {first}
    assert "LOWER_UP" in taps()[second]["flags"]  # its machine has opened it
    assert service.api.port_of(made, port.id).plugged
    service.api.reboot(service.me, service.get(made), hard=True)
    service.settled(made, "active")
    assert "LOWER_UP" in taps()[second]["flags"]
    assert service.api.port_of(made, port.id).plugged


def test_a_card_taken_from_a_running_server_leaves_nothing_on_the_host(service: Computing) -> None:
    made = counting(service)
    (first,) = taps()
    port = service.api.attach_interface(service.me, made)
    service.settled(made, "active")
    (second,) = set(taps()) - {first}
    assert second in listed_tables() and port.fixed_ips[0] in listed_tables()
    service.api.detach_interface(service.me, service.get(made), port.id)
    service.settled(made, "active")
    assert set(taps()) == {first}
    assert second not in listed_tables() and port.fixed_ips[0] not in listed_tables()
    assert [one.id for one in service.api.ports([made.uuid])[made.uuid]] != [port.id]


def test_a_server_leaves_a_group_at_once(service: Computing) -> None:
    made = counting(service)
    (address,) = service.api.ports([made.uuid])[made.uuid][0].fixed_ips
    group_rules.add_group(service.database, "p1", "web")
    before = listed_tables().count(address)
    service.api.add_security_group(service.me, made, "web")
    assert listed_tables().count(address) == before + 1
    service.api.remove_security_group(service.me, made, "web")
    assert listed_tables().count(address) == before


def test_a_server_whose_dhcp_cannot_start_says_so_and_the_next_one_boots_once_it_can(service: Computing) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 53))  # somebody's DNS server, where dnsmasq is to be
        image = next(image for image in service.store.list() if image.name == "counting")
        made = service.create(image_ref=image.id)
        failed = service.settled(made, "error")
        assert failed.fault is not None and "dnsmasq" in failed.fault.message, failed.fault
    counting(service)
