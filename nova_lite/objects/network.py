"""Networks, their ranges, ports, routers, floating IPs and security groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

#: ``Port.device_owner`` of ports that are no cards of servers.
ROUTER_INTERFACE, FLOATING_IP = "network:router_interface", "network:floatingip"


@dataclass
class Network:
    """One network with one IPv4 range, its subnet; ``subnet_id`` "" while it has none.

    ``shared``: every project may use it, else ``project_id`` alone; a default one is what servers get that name none;
    an ``external`` one has floating IPs instead of servers. The pool is what is allotted unasked; both its ends belong
    to it.
    """

    id: str
    host: str
    name: str
    project_id: str | None
    shared: bool
    is_default: bool
    created_at: datetime
    subnet_id: str
    cidr: str
    gateway_ip: str
    pool_start: str
    pool_end: str
    dns_servers: list[str] = field(default_factory=list)
    description: str = ""
    external: bool = False
    subnet_name: str = ""
    subnet_description: str = ""
    enable_dhcp: bool = True
    subnet_created_at: datetime | None = None

    def policy_target(self) -> dict[str, Any]:
        return {"project_id": self.project_id or ""}


@dataclass
class Subnet:
    """The range of a network, as the Network service names it by an id of its own."""

    network: Network

    def policy_target(self) -> dict[str, Any]:
        return self.network.policy_target()


@dataclass
class Port:
    """A network card of a server; of none while ``device_id`` is None. ``device_owner`` and ``owner_id`` are set for
    what is no card: a router's address, a floating IP.

    ``preserve``: kept when its server goes. ``plugged``: the VM has had it since it was last started.
    """

    id: str
    network_id: str
    network_name: str
    project_id: str
    mac_address: str
    device_id: str | None
    tag: str | None = None
    preserve: bool = False
    plugged: bool = True
    name: str = ""
    description: str = ""
    device_owner: str = ""
    owner_id: str | None = None
    created_at: datetime | None = None
    subnet_id: str = ""
    fixed_ips: list[str] = field(default_factory=list)
    security_groups: dict[str, str] = field(default_factory=dict)  # id → name
    floating_ips: dict[str, list[str]] = field(default_factory=dict)  # fixed address → floating ones

    def policy_target(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


@dataclass
class Router:
    """A tenant's way out of its networks. ``interfaces``: id of its port → id of the subnet."""

    id: str
    project_id: str
    name: str
    description: str
    created_at: datetime
    external_network_id: str | None = None
    interfaces: dict[str, str] = field(default_factory=dict)

    def policy_target(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


@dataclass
class FloatingIP:
    """An address of the external network ``network_id`` that leads to ``fixed_ip_address`` of a port, or nowhere."""

    id: str
    project_id: str
    description: str
    created_at: datetime
    network_id: str
    network_name: str
    address: str
    port_id: str | None = None
    fixed_ip_address: str | None = None
    device_id: str | None = None  # the server of that port
    router_id: str | None = None

    def policy_target(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


@dataclass
class SecurityGroupRule:
    """What a group allows; ``protocol`` None is any. Without a remote every address is meant."""

    id: str
    security_group_id: str
    direction: str
    protocol: str | None = None
    port_range_min: int | None = None
    port_range_max: int | None = None
    remote_ip_prefix: str | None = None
    remote_group_id: str | None = None
    ethertype: str = "IPv4"
    description: str = ""
    project_id: str = ""  # its group's, where somebody asked for the rule by itself

    def policy_target(self) -> dict[str, Any]:
        return {"project_id": self.project_id}


@dataclass
class SecurityGroup:
    id: str
    project_id: str
    name: str
    description: str
    created_at: datetime
    rules: list[SecurityGroupRule] = field(default_factory=list)

    def policy_target(self) -> dict[str, Any]:
        return {"project_id": self.project_id}
