"""Network, its range, and the ports and security groups of servers."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Network:
    """One network with one IPv4 range. ``shared``: every project may use it, else ``project_id`` alone; a default one
    is what servers get that name none. The pool is what is allotted unasked; both its ends belong to it."""

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


@dataclass
class Port:
    """A network card of a server; of none while ``device_id`` is None.

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
    subnet_id: str = ""
    fixed_ips: list[str] = field(default_factory=list)
    security_groups: dict[str, str] = field(default_factory=dict)  # id → name


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


@dataclass
class SecurityGroup:
    id: str
    project_id: str
    name: str
    description: str
    created_at: datetime
    rules: list[SecurityGroupRule] = field(default_factory=list)
