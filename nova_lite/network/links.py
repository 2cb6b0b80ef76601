"""Bridges and taps of this host, by iproute2. Every link of ours says in its alias which service it belongs to."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from nova_lite.network.commands import NetworkError, run
from nova_lite.network.layout import BRIDGE_PREFIX, METADATA_ADDRESS, TAP_PREFIX, Network, Port

#: On the bridge: the host answers for guests that cannot hear each other, routes between them, sends no redirects.
_IPV4 = {"forwarding": "1", "proxy_arp_pvlan": "1", "send_redirects": "0"}


@dataclass(frozen=True)
class Link:
    """A link with one of our names; ``owner`` its alias; ``master`` the bridge that a tap is in."""

    name: str
    owner: str
    master: str | None


def exists(name: str) -> bool:
    try:
        socket.if_nametoindex(name)
    except OSError:
        return False
    return True


def ours() -> list[Link]:
    """The links on this host that bear our names, whoever made them."""
    found = json.loads(run(["ip", "-json", "link", "show"]) or "[]")
    return [
        Link(link["ifname"], link.get("ifalias", ""), link.get("master"))
        for link in found
        if link["ifname"].startswith((BRIDGE_PREFIX, TAP_PREFIX))
    ]


def make_bridge(network: Network, owner: str) -> None:
    """The bridge of a network, up, with the gateway's address; whatever of it is there stays."""
    name = network.bridge
    lines = [] if exists(name) else [f"link add {name} type bridge"]
    lines += [
        f"link set dev {name} address {network.mac} alias {owner} addrgenmode none",
        f"link set dev {name} type bridge forward_delay 0 mcast_snooping 0",
        f"address replace {network.gateway}/{network.prefix_length} dev {name}",
        f"address replace {METADATA_ADDRESS}/32 dev {name} scope link",
        f"link set dev {name} up",
    ]
    run(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    try:
        for key, value in _IPV4.items():
            Path(f"/proc/sys/net/ipv4/conf/{name}/{key}").write_text(value)
    except OSError as error:
        raise NetworkError(f"{name} cannot be made to route: {error.strerror}.") from error


def make_tap(port: Port, network: Network, owner: str) -> None:
    """The tap of a port: persistent, to be opened by this user's processes, isolated from the bridge's other ports."""
    name = port.tap
    lines = [] if exists(name) else [f"tuntap add dev {name} mode tap user {os.geteuid()} vnet_hdr"]
    lines += [
        f"link set dev {name} alias {owner} addrgenmode none master {network.bridge}",
        f"link set dev {name} type bridge_slave isolated on learning off flood off mcast_flood off",
        f"link set dev {name} up",
    ]
    # Nobody is asked who has an address, and nothing is flooded: both are known.
    lines += [f"neighbour replace {ip} lladdr {port.mac} dev {network.bridge} nud permanent" for ip in port.addresses]
    run(["ip", "-batch", "-"], "\n".join(lines) + "\n")
    run(["bridge", "-batch", "-"], f"fdb replace {port.mac} dev {name} master static\n")


def remove(name: str) -> None:
    """No such link afterwards."""
    if not exists(name):
        return
    try:
        run(["ip", "link", "delete", "dev", name])
    except NetworkError:
        if exists(name):
            raise


def forget_neighbours(port: Port, network: Network) -> None:
    """What the host knew by heart of a port's addresses."""
    lines = [f"neighbour delete {ip} dev {network.bridge}" for ip in port.addresses]
    if lines and exists(network.bridge):
        run(["ip", "-force", "-batch", "-"], "\n".join(lines) + "\n")


def ranges_in_use() -> list[str]:
    """The IPv4 ranges that this host has routes to, but for the default route."""
    routes = json.loads(run(["ip", "-4", "-json", "route", "show"]) or "[]")
    return [route["dst"] for route in routes if route["dst"] != "default"]


def uplinks_without_forwarding() -> list[str]:
    """Interfaces of default routes that the host does not forward from: answers from outside end there."""
    routes = json.loads(run(["ip", "-4", "-json", "route", "show", "default"]) or "[]")
    names = sorted({route["dev"] for route in routes if "dev" in route})
    return [name for name in names if Path(f"/proc/sys/net/ipv4/conf/{name}/forwarding").read_text().strip() != "1"]
