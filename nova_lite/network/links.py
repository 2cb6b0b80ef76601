"""Bridges and taps of this host. Every link of ours says in its alias which service it belongs to."""

from __future__ import annotations

import ipaddress
import json
import socket
from dataclasses import dataclass
from pathlib import Path

from nova_lite.network import rtnetlink
from nova_lite.network.commands import NetworkError, run
from nova_lite.network.layout import BRIDGE_PREFIX, METADATA_ADDRESS, TAP_PREFIX, Network, Port
from nova_lite.network.rtnetlink import Netlink

#: On the bridge: the host answers for guests that cannot hear each other, routes between them, sends no redirects.
_IPV4 = {"forwarding": "1", "proxy_arp_pvlan": "1", "send_redirects": "0"}


@dataclass(frozen=True)
class Link:
    """A link with one of our names; ``owner`` its alias; ``master`` the bridge that a tap is in; ``up``: as it
    was set; ``addresses``: IPv4."""

    name: str
    owner: str
    master: str | None
    up: bool
    addresses: frozenset[str]


def exists(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def ours() -> list[Link]:
    """The links on this host that bear our names, whoever made them."""
    with Netlink() as netlink:
        found, addresses = netlink.links(), netlink.addresses()
    names = {link.index: link.name for link in found}
    return [
        Link(
            link.name,
            link.alias,
            names.get(link.master),
            link.up,
            frozenset(address for index, address in addresses if index == link.index),
        )
        for link in found
        if link.name.startswith((BRIDGE_PREFIX, TAP_PREFIX))
    ]


def make_bridge(network: Network, owner: str) -> None:
    """The bridge of a network, up, with the gateway's address; whatever of it is there stays."""
    name = network.bridge
    with Netlink() as netlink:
        if not exists(name):
            netlink.add_bridge(name, network.mac)
        netlink.set_link(name, owner, mac=network.mac)
        netlink.add_address(name, network.gateway, network.prefix_length)
        netlink.add_address(name, METADATA_ADDRESS, 32, of_link=True)
        netlink.set_up(name)
    try:
        for key, value in _IPV4.items():
            _setting(name, key).write_text(value)
    except OSError as error:
        raise NetworkError(f"{name} cannot be made to route: {error.strerror}.") from error


def serves(bridge: Link, network: Network) -> bool:
    """Whether a bridge is as ``make_bridge`` made it, not changed by hand since."""
    if not bridge.up or not bridge.addresses >= {network.gateway, METADATA_ADDRESS}:
        return False
    try:
        return all(_setting(bridge.name, key).read_text().strip() == value for key, value in _IPV4.items())
    except OSError:
        return False  # it has just gone


def _setting(name: str, key: str) -> Path:
    return Path(f"/proc/sys/net/ipv4/conf/{name}/{key}")


def make_tap(port: Port, network: Network, owner: str) -> None:
    """The tap of a port: persistent, to be opened by this user's processes, isolated from the bridge's other ports."""
    name = port.tap
    rtnetlink.make_tap(name)
    with Netlink() as netlink:
        netlink.set_link(name, owner, master=network.bridge)
        netlink.isolate(name)
        netlink.set_up(name)
        # Nobody is asked who has an address, and nothing is flooded: both are known.
        for address in port.addresses:
            netlink.add_neighbour(network.bridge, address, port.mac)
        netlink.add_station(name, port.mac)


def remove(name: str) -> None:
    """No such link afterwards."""
    if exists(name):
        with Netlink() as netlink:
            netlink.delete(name)


def forget_neighbours(port: Port, network: Network) -> None:
    """What the host knew by heart of a port's addresses."""
    if port.addresses and exists(network.bridge):
        with Netlink() as netlink:
            for address in port.addresses:
                netlink.forget_neighbour(network.bridge, address)


def ranges_in_use() -> list[str]:
    """The IPv4 ranges that this host has routes to, but for the default route."""
    routes = json.loads(run(["ip", "-4", "-json", "route", "show"]) or "[]")
    return [route["dst"] for route in routes if route["dst"] != "default"]


def user_of(cidr: str) -> str | None:
    """The interface of the host, none of ours, that is in (a part of) this range itself."""
    wanted = ipaddress.IPv4Network(cidr)
    for route in json.loads(run(["ip", "-4", "-json", "route", "show", "proto", "kernel"]) or "[]"):
        name = str(route.get("dev", ""))
        if not name.startswith(BRIDGE_PREFIX) and ipaddress.IPv4Network(route["dst"], False).overlaps(wanted):
            return name
    return None


def uplinks_without_forwarding() -> list[str]:
    """Interfaces of default routes that the host does not forward from: answers from outside end there."""
    routes = json.loads(run(["ip", "-4", "-json", "route", "show", "default"]) or "[]")
    names = sorted({route["dev"] for route in routes if "dev" in route})
    return [name for name in names if _setting(name, "forwarding").read_text().strip() != "1"]
