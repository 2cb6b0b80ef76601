"""What is wanted on the host, as plain data: networks, their ports, security groups. And the names things get there."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

#: Where the metadata service of clouds is asked; every bridge has it, the firewall lets guests reach its port 80.
METADATA_ADDRESS, METADATA_PORT = "169.254.169.254", 80
BRIDGE_PREFIX, TAP_PREFIX = "nlb-", "nlt-"
_ID_LENGTH = 11  # with the prefix 15, the longest name that Linux takes


@dataclass(frozen=True)
class Network:
    """One IPv4 range with the host as its gateway. ``dns``: servers that guests are told; empty for the host's own.
    ``external``: floating addresses come from it, and no port is on it."""

    id: str
    cidr: str
    gateway: str
    dns: tuple[str, ...] = ()
    dhcp: bool = True
    external: bool = False

    @property
    def bridge(self) -> str:
        return BRIDGE_PREFIX + short(self.id)

    @property
    def prefix_length(self) -> int:
        return ipaddress.IPv4Network(self.cidr).prefixlen

    @property
    def mac(self) -> str:
        """The gateway's: fixed, else the bridge would take on that of one tap after the other."""
        return "02:" + ":".join(short(self.id)[i : i + 2] for i in range(0, 10, 2))


@dataclass(frozen=True)
class Port:
    """A network card of a server. ``groups``: ids of its security groups; ``hostname`` is its name in the DNS;
    ``floating``: pairs of a floating address and the one of its own that it leads to."""

    id: str
    network_id: str
    mac: str
    addresses: tuple[str, ...]
    groups: tuple[str, ...]
    hostname: str
    floating: tuple[tuple[str, str], ...] = ()

    @property
    def tap(self) -> str:
        return tap_name(self.id)


@dataclass(frozen=True)
class Rule:
    """Traffic that a security group allows. ``direction`` is ingress or egress; ``protocol`` None for any, else tcp,
    udp, icmp or a number; for icmp ``port_min`` and ``port_max`` are type and code. At most one remote is set."""

    direction: str
    protocol: str | None = None
    port_min: int | None = None
    port_max: int | None = None
    remote_prefix: str | None = None
    remote_group: str | None = None


@dataclass(frozen=True)
class Layout:
    """All that is wanted on this host. ``groups`` has every group that a port or a rule names; ``routed``: the outside
    finds floating addresses through this host, so servers are to be seen there under them."""

    networks: dict[str, Network]
    ports: dict[str, Port]
    groups: dict[str, tuple[Rule, ...]]
    routed: bool = False

    def externals(self) -> list[Network]:
        """The external networks of which an address leads to a server."""
        floating = {ipaddress.IPv4Address(address) for port in self.ports.values() for address, _ in port.floating}
        found = [(network, ipaddress.IPv4Network(network.cidr)) for network in self.networks.values()]
        return [
            network for network, whole in found if network.external and any(address in whole for address in floating)
        ]


def tap_name(port_id: str) -> str:
    """What the tap of a port is called on its host."""
    return TAP_PREFIX + short(port_id)


def short(identifier: str) -> str:
    """The part of a UUID that fits into a Linux interface's name."""
    return identifier.replace("-", "")[:_ID_LENGTH]
