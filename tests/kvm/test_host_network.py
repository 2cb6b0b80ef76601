"""Bridges, taps, firewall and dnsmasq, for real, in a network namespace of the test's own."""

from __future__ import annotations

import os
import queue
import select
import signal
import socket
import struct
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nova_lite.cli.main import main
from nova_lite.network import links, rtnetlink
from nova_lite.network.commands import NetworkError
from nova_lite.network.host import HostNetwork, lacking, tables
from nova_lite.network.layout import Layout, Network, Port, Rule
from tests import netns, tap_guest
from tests.tap_guest import TapGuests

PATIENCE = 20.0
NETWORK = Network(str(uuid.uuid4()), "10.9.0.0/22", "10.9.0.1")
OTHER_NETWORK = Network(str(uuid.uuid4()), "10.19.0.0/24", "10.19.0.1")
GROUP, OTHER_GROUP = str(uuid.uuid4()), str(uuid.uuid4())
MEMBERS_ONLY = (Rule("egress"), Rule("ingress", remote_group=GROUP))


def port(number: int, group: str = GROUP, network: Network = NETWORK) -> Port:
    base = network.cidr.split(".")[:2]
    address = f"{base[0]}.{base[1]}.{(number + 1) >> 8}.{(number + 1) & 255}"
    mac = f"fa:16:3e:{int(base[1]):02x}:{number >> 8:02x}:{number & 255:02x}"
    return Port(str(uuid.uuid4()), network.id, mac, (address,), (group,), f"s{number}")


def layout(*ports: Port, **groups: Any) -> Layout:
    wanted = {GROUP: MEMBERS_ONLY, OTHER_GROUP: MEMBERS_ONLY} | {GROUP: groups["group"]} if groups else {
        GROUP: MEMBERS_ONLY,
        OTHER_GROUP: MEMBERS_ONLY,
    }
    return Layout({n.id: n for n in (NETWORK, OTHER_NETWORK)}, {p.id: p for p in ports}, wanted)


@pytest.fixture
def host() -> Iterator[HostNetwork]:
    with netns.entered():
        run_path = Path(f"/run/nova-lite-test-{os.getpid()}")  # a test's own folder is not for nobody to read
        made = HostNetwork(Path("/test") / uuid.uuid4().hex, run_path, "example.test")
        yield made
        made.clean()
        if run_path.exists():
            run_path.rmdir()


@pytest.fixture
def guests(host: HostNetwork) -> Iterator[Callable[..., TapGuests]]:
    made: list[TapGuests] = []

    def connect(wanted: Layout) -> TapGuests:
        host.add(wanted, wanted.ports.values())
        made.append(TapGuests(wanted.ports.values()))
        made[-1].find_gateways({network.id: network.gateway for network in wanted.networks.values()})
        return made[-1]

    yield connect
    for each in made:
        each.close()


def reached(ports: list[Port]) -> set[str]:
    """Which of these answer this host's echo requests, asked all at once."""
    wanted = {p.addresses[0] for p in ports}
    found: set[str] = set()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        asking.settimeout(0.5)
        for address in sorted(wanted):
            try:
                asking.sendto(tap_guest.echo(8, 77), (address, 0))
            except PermissionError:  # the firewall drops what we send
                continue
        deadline = time.monotonic() + PATIENCE
        while found < wanted and time.monotonic() < deadline:
            try:
                packet, (address, _) = asking.recvfrom(2048)
            except TimeoutError:
                break
            if packet[20] == 0:
                found.add(address)
    return found


def hears(guests: TapGuests, at: Port, what: Callable[[bytes], bool], seconds: float = PATIENCE) -> bytes | None:
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        try:
            frame = guests.heard[at.id].get(timeout=left)
        except queue.Empty:
            return None
        if what(frame):
            return frame
    return None


def to_port(number: int) -> Callable[[bytes], bool]:
    return lambda frame: frame[12:14] == b"\x08\x00" and struct.unpack("!H", frame[36:38])[0] == number


def packet(sender: Port, receiver: Port, number: int, source: str | None = None, mac: str | None = None) -> bytes:
    """A UDP datagram from guest to guest, by way of the gateway as the proxy's ARP answers have it."""
    return tap_guest.ipv4(
        mac or sender.mac,
        NETWORK.mac,
        source or sender.addresses[0],
        receiver.addresses[0],
        17,
        tap_guest.udp(1000, number, b"hello"),
    )


def test_this_machine_can_have_networks(host: HostNetwork) -> None:
    assert lacking() is None


def test_two_hundred_servers_on_one_bridge_are_all_reached(host: HostNetwork, guests: Any) -> None:
    ports = [port(number) for number in range(1, 201)]
    guests(layout(*ports, group=(*MEMBERS_ONLY, Rule("ingress", "icmp"))))
    assert reached(ports) == {p.addresses[0] for p in ports}


def test_nothing_comes_in_by_default_but_from_members(host: HostNetwork, guests: Any) -> None:
    one, two, stranger = port(1), port(2), port(3, OTHER_GROUP)
    there = guests(layout(one, two, stranger))
    there.send(stranger, packet(stranger, two, 4001))
    there.send(one, packet(one, two, 4002))
    first = hears(there, two, lambda frame: to_port(4001)(frame) or to_port(4002)(frame))
    assert first is not None and to_port(4002)(first)
    assert reached([one]) == set()


def test_rules_change_while_servers_run(host: HostNetwork, guests: Any) -> None:
    one = port(1)
    guests(layout(one))
    assert reached([one]) == set()
    host.replace_rules(layout(one, group=(*MEMBERS_ONLY, Rule("ingress", "icmp", 8))))
    assert reached([one]) == {one.addresses[0]}
    host.replace_rules(layout(one, group=(*MEMBERS_ONLY, Rule("ingress", "tcp", 22, 22))))
    assert reached([port(98)]) == set()


def test_every_kind_of_rule_is_one_that_the_kernel_takes(host: HostNetwork) -> None:
    rules = (
        Rule("ingress", "tcp", 1, 65535),
        Rule("ingress", "udp", 53, 53, remote_prefix="192.0.2.0/24"),
        Rule("ingress", "icmp", 3, 4),
        Rule("ingress", "47"),
        Rule("ingress", "tcp", remote_group=GROUP),
        Rule("egress", "icmp", 8),
        Rule("egress", remote_prefix="0.0.0.0/0"),
    )
    host.add(layout(one := port(1), group=rules), [one])
    assert host.table in tables()


@pytest.mark.parametrize("forged", ["mac", "ip", "arp sender", "arp frame"])
def test_a_guest_cannot_pass_for_another(host: HostNetwork, guests: Any, forged: str) -> None:
    liar, victim, receiver = port(1), port(2), port(3)
    there = guests(layout(liar, victim, receiver))
    if forged == "mac":
        there.send(liar, packet(liar, receiver, 4001, mac=victim.mac))
    elif forged == "ip":
        there.send(liar, packet(liar, receiver, 4001, source=victim.addresses[0]))
    else:
        frame_from = liar.mac if forged == "arp sender" else victim.mac
        claimed = tap_guest.arp(1, liar.mac, victim.addresses[0], "", NETWORK.gateway, frame_from)
        there.send(liar, claimed)
    there.send(liar, packet(liar, receiver, 4002))  # the honest one comes after: what comes first tells
    first = hears(there, receiver, lambda frame: to_port(4001)(frame) or to_port(4002)(frame))
    assert first is not None and to_port(4002)(first)
    known = subprocess.run(["ip", "neigh", "show"], capture_output=True, text=True, check=True).stdout
    assert f"{victim.addresses[0]} dev {NETWORK.bridge} lladdr {victim.mac}" in known


def test_arp_for_another_guest_is_answered_by_the_gateway(host: HostNetwork, guests: Any) -> None:
    one, two = port(1), port(2)
    there = guests(layout(one, two))
    there.send(one, tap_guest.arp(1, one.mac, one.addresses[0], "", two.addresses[0]))
    answer = hears(there, one, lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\2")
    assert answer is not None and answer[22:28] == tap_guest.mac(NETWORK.mac)


def test_a_guest_reaches_no_service_of_the_host(host: HostNetwork, guests: Any) -> None:
    one = port(1)
    there = guests(layout(one))
    with socket.create_server(("0.0.0.0", 0)) as service:
        number = service.getsockname()[1]
        syn = tap_guest.tcp_syn(one.addresses[0], NETWORK.gateway, number)
        there.send(one, tap_guest.ipv4(one.mac, NETWORK.mac, one.addresses[0], NETWORK.gateway, 6, syn))
        # The gateway answers pings, and its answer comes after any to the frame before.
        ping = tap_guest.ipv4(one.mac, NETWORK.mac, one.addresses[0], NETWORK.gateway, 1, tap_guest.echo(8, 9))
        there.send(one, ping)
        answer = hears(there, one, lambda frame: frame[12:14] == b"\x08\x00")
        assert answer is not None and answer[23] == 1


def test_networks_do_not_reach_each_other(host: HostNetwork, guests: Any) -> None:
    one, far, near = port(1), port(2, network=OTHER_NETWORK), port(3)
    everyone = (Rule("egress"), Rule("ingress"))
    there = guests(layout(one, far, near, group=everyone))
    there.send(one, packet(one, far, 4001))
    there.send(one, packet(one, near, 4002))
    assert hears(there, near, to_port(4002)) is not None
    assert hears(there, far, to_port(4001), seconds=0.3) is None


def test_dhcp_gives_a_guest_its_address_and_the_dns_its_name(host: HostNetwork, guests: Any) -> None:
    one = port(1)
    there = guests(layout(one))
    assert offered_address(there, one) == one.addresses[0]
    query = struct.pack("!HHHHHH", 5, 0x0100, 1, 0, 0, 0) + b"\x02s1\x07example\x04test\0" + struct.pack("!HH", 1, 1)
    own = one.addresses[0]
    asked = tap_guest.ipv4(one.mac, NETWORK.mac, own, NETWORK.gateway, 17, tap_guest.udp(1234, 53, query))
    there.send(one, asked)
    answer = hears(there, one, to_port(1234))
    assert answer is not None and answer[-4:] == tap_guest.ip(own)


def offered_address(there: TapGuests, one: Port) -> str:
    head = struct.pack("!BBBBIHH", 1, 1, 6, 0, 4711, 0, 0x8000) + bytes(16)
    discover = head + tap_guest.mac(one.mac) + bytes(10 + 192) + b"\x63\x82\x53\x63\x35\x01\x01\xff"
    frame = tap_guest.ipv4(
        one.mac, tap_guest.BROADCAST, "0.0.0.0", "255.255.255.255", 17, tap_guest.udp(68, 67, discover)
    )
    there.send(one, frame)
    offer = hears(there, one, to_port(68))
    assert offer is not None
    return socket.inet_ntoa(offer[58:62])


def test_an_address_that_had_another_mac_is_served_to_the_new_one(host: HostNetwork, guests: Any) -> None:
    one = port(1)
    first = guests(layout(one))
    assert offered_address(first, one) == one.addresses[0]
    host.remove(layout(one), [one])
    heir = replace(port(2), addresses=one.addresses)
    assert offered_address(guests(layout(heir)), heir) == one.addresses[0]


def test_a_bridge_deleted_by_hand_comes_back_with_its_ports(host: HostNetwork, guests: Any) -> None:
    one = port(1)
    wanted = layout(one, group=(*MEMBERS_ONLY, Rule("ingress", "icmp")))
    guests(wanted)
    links.remove(NETWORK.bridge)
    host.check(wanted)
    assert reached([one]) == {one.addresses[0]}


@pytest.mark.parametrize(
    "change",
    [
        f"address flush dev {NETWORK.bridge}",
        f"link set {NETWORK.bridge} down",
        "link set {tap} down",
        "link set {tap} nomaster",
    ],
    ids=["address", "bridge down", "tap down", "tap out"],
)
def test_what_was_changed_by_hand_is_set_up_again(host: HostNetwork, guests: Any, change: str) -> None:
    one = port(1)
    wanted = layout(one, group=(*MEMBERS_ONLY, Rule("ingress", "icmp")))
    guests(wanted)
    host.check(wanted)
    subprocess.run(["ip", *change.format(tap=one.tap).split()], check=True)
    host.check(wanted)
    assert reached([one]) == {one.addresses[0]}


def test_a_tap_that_was_deleted_is_made_again_and_the_log_says_what_to_do(
    host: HostNetwork, caplog: pytest.LogCaptureFixture
) -> None:
    one = port(1)
    host.add(layout(one), [one])
    links.remove(one.tap)
    host.check(layout(one))
    assert links.exists(one.tap)
    assert f"tap {one.tap} of server s1" in caplog.text and "hard reboot" in caplog.text


def test_dnsmasq_that_was_killed_runs_again(host: HostNetwork, guests: Any) -> None:
    one = port(1)
    wanted = layout(one)
    there = guests(wanted)
    dnsmasq = host._dnsmasqs[NETWORK.id]
    pid = dnsmasq.pid()
    assert pid is not None
    process = os.pidfd_open(pid)
    signal.pidfd_send_signal(process, signal.SIGKILL)
    assert select.select([process], [], [], PATIENCE)[0]
    os.close(process)
    host.check(wanted)
    assert dnsmasq.pid() not in (None, pid)
    assert offered_address(there, one) == one.addresses[0]


def test_rules_deleted_by_hand_come_back(host: HostNetwork, guests: Any, caplog: pytest.LogCaptureFixture) -> None:
    one = port(1)
    guests(layout(one))
    host.check(layout(one))
    subprocess.run(["nft", "flush", "ruleset"], check=True)
    host.check(layout(one))
    assert "changed by somebody else" in caplog.text
    assert reached([one]) == set()
    assert host.table in tables()


def test_without_servers_nothing_is_left_on_the_host(host: HostNetwork) -> None:
    one = port(1)
    host.add(layout(one), [one])
    assert {link.name for link in links.ours()} == {NETWORK.bridge, one.tap}
    host.remove(layout(one), [one])
    host.check(layout())
    assert links.ours() == [] and tables() == []


def test_what_another_service_made_is_left_alone(host: HostNetwork) -> None:
    one = port(1)
    host.add(layout(one), [one])
    other = HostNetwork(Path("/other"), host.run_path.parent)
    other.check(layout())
    assert other.clean() == []
    assert {link.name for link in links.ours()} == {NETWORK.bridge, one.tap}


def test_host_status_says_what_keeps_servers_from_the_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OS_NETWORK__ENABLED", "true")

    def status() -> str:
        return CliRunner().invoke(main, ["--state-path", str(tmp_path), "host", "status"]).output

    with netns.entered():
        assert "networks: yes" in status() and "outside" not in status()
        for words in (
            "link add up0 type bridge",
            "addr add 192.0.2.2/24 dev up0",
            "link set up0 up",
            "route add default via 192.0.2.1",
        ):
            subprocess.run(["ip", *words.split()], check=True)
        forwarding = Path("/proc/sys/net/ipv4/conf/up0/forwarding")
        forwarding.write_text("0")
        assert "sysctl -w net.ipv4.conf.up0.forwarding=1" in status()
        forwarding.write_text("1")
        assert "outside" not in status()


EXTERNAL = Network(str(uuid.uuid4()), "172.24.4.0/24", "172.24.4.1", external=True)


def floating_layout(*ports: Port, routed: bool = False) -> Layout:
    rules = (*MEMBERS_ONLY, Rule("ingress", "icmp"), Rule("ingress", "udp"))
    found = layout(*ports, group=rules)
    return replace(found, networks=found.networks | {EXTERNAL.id: EXTERNAL}, routed=routed)


def test_a_floating_address_leads_to_a_server_while_it_is_told_to(host: HostNetwork, guests: Any) -> None:
    one, two = port(1), port(2)
    floating = replace(one, floating=(("172.24.4.9", one.addresses[0]),))
    guests(floating_layout(one, two))
    assert host_pings("172.24.4.9") is False and not links.exists(EXTERNAL.bridge)
    host.replace_rules(floating_layout(floating, two))
    assert links.exists(EXTERNAL.bridge) and host_pings("172.24.4.9")
    host.replace_rules(floating_layout(one, replace(two, floating=(("172.24.4.9", two.addresses[0]),))))
    assert host_pings("172.24.4.9")  # the other server, at once
    wanted = floating_layout(one, two)
    host.replace_rules(wanted)
    host.check(wanted)
    assert host_pings("172.24.4.9") is False and not links.exists(EXTERNAL.bridge)


def test_rules_of_security_groups_hold_for_floating_addresses(host: HostNetwork, guests: Any) -> None:
    one = replace(port(1), floating=(("172.24.4.9", port(1).addresses[0]),))
    wanted = layout(one, group=MEMBERS_ONLY)
    guests(replace(wanted, networks=wanted.networks | {EXTERNAL.id: EXTERNAL}))
    assert host_pings("172.24.4.9") is False


def test_another_network_is_reached_by_its_floating_addresses_only(host: HostNetwork, guests: Any) -> None:
    one, other = port(1), port(2, GROUP, OTHER_NETWORK)
    floating = replace(other, floating=(("172.24.4.9", other.addresses[0]),))
    there = guests(floating_layout(one, floating))
    for number, target in ((4001, other.addresses[0]), (4002, "172.24.4.9")):
        payload = tap_guest.udp(1000, number, b"hello")
        there.send(one, tap_guest.ipv4(one.mac, NETWORK.mac, one.addresses[0], target, 17, payload))
    first = hears(there, floating, lambda frame: to_port(4001)(frame) or to_port(4002)(frame))
    assert first is not None and to_port(4002)(first)


@pytest.mark.parametrize(("routed", "seen"), [(True, "172.24.4.9"), (False, "192.0.2.1")])
def test_the_outside_sees_a_server_under_its_floating_address_where_that_is_routed(
    host: HostNetwork, guests: Any, routed: bool, seen: str
) -> None:
    one = replace(port(1), floating=(("172.24.4.9", port(1).addresses[0]),))
    there = guests(floating_layout(one, routed=routed))
    neighbour = Port(str(uuid.uuid4()), "outside", "fa:16:3e:99:00:02", ("192.0.2.2",), (), "outside")
    rtnetlink.make_tap(neighbour.tap)
    for command in (f"addr add 192.0.2.1/24 dev {neighbour.tap}", f"link set {neighbour.tap} up"):
        subprocess.run(["ip", *command.split()], check=True)
    outside = TapGuests([neighbour])
    try:
        payload = tap_guest.udp(1000, 4001, b"hello")
        there.send(one, tap_guest.ipv4(one.mac, NETWORK.mac, one.addresses[0], "192.0.2.2", 17, payload))
        frame = hears(outside, neighbour, to_port(4001))
        assert frame is not None and socket.inet_ntoa(frame[26:30]) == seen
    finally:
        outside.close()


def test_a_port_gets_and_loses_addresses_while_its_server_runs(host: HostNetwork, guests: Any) -> None:
    one = port(1)
    guests(floating_layout(one))
    more = replace(one, addresses=(*one.addresses, "10.9.0.77"))
    host.replace_rules(floating_layout(more))
    known = subprocess.run(["ip", "neigh", "show"], capture_output=True, text=True, check=True).stdout
    assert f"10.9.0.77 dev {NETWORK.bridge} lladdr {one.mac}" in known
    host.replace_rules(floating_layout(one))
    known = subprocess.run(["ip", "neigh", "show"], capture_output=True, text=True, check=True).stdout
    assert "10.9.0.77" not in known and one.addresses[0] in known


def test_a_range_that_the_host_is_in_is_not_taken_from_it(host: HostNetwork) -> None:
    for command in ("link add up0 type bridge", "addr add 10.9.1.9/24 dev up0", "link set up0 up"):
        subprocess.run(["ip", *command.split()], check=True)
    with pytest.raises(NetworkError, match="up0 of this host is in it"):
        host.add(layout(one := port(1)), [one])
    assert not links.exists(NETWORK.bridge)


def host_pings(address: str) -> bool:
    """Whether this host gets an echo from there."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as asking:
        asking.settimeout(1.0)
        try:
            asking.sendto(tap_guest.echo(8, 78), (address, 0))
            while True:
                packet, _ = asking.recvfrom(2048)
                if packet[20] == 0:
                    return True
        except OSError:
            return False


def test_a_range_is_free_for_another_network_as_soon_as_its_own_is_gone(host: HostNetwork) -> None:
    first = port(1)
    host.add(layout(first), [first])
    host.remove(layout(first), [first])
    again = replace(NETWORK, id=str(uuid.uuid4()))
    second = replace(port(1), network_id=again.id)
    wanted = replace(layout(second), networks={again.id: again})
    host.add(wanted, [second])
    assert links.exists(again.bridge) and not links.exists(NETWORK.bridge)
