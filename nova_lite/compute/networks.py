"""Networks and security groups as users ask for them: making them, and choosing what a new server gets."""

from __future__ import annotations

import ipaddress
import uuid as uuidlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Connection, Database
from nova_lite.db.times import now

DEFAULT_NETWORK = "private"
# The first of these that meets nothing on the host is the range of the default network.
DEFAULT_RANGES = tuple(f"10.{second}.0.0/20" for second in range(77, 100))
_SHORTEST_PREFIX, _LONGEST_PREFIX = 16, 29


class NoMoreFixedIps(Exception):
    """All addresses of a network are taken."""

    def __init__(self, network: objects.Network) -> None:
        super().__init__(
            f"No fixed IP addresses available for network: {network.id}. Delete servers that use it, or name another."
        )


class AddressInUse(exceptions.Conflict):
    """Somebody has the address that was asked for."""


@dataclass(frozen=True)
class Wish:
    """A card that a server is to have: a port that is there, or one to be made; ``fixed_ip`` None for the next free
    address."""

    network: objects.Network
    fixed_ip: str | None = None
    tag: str | None = None
    port_id: str | None = None


def create_network(
    database: Database,
    host: str,
    name: str,
    cidr: str,
    *,
    gateway: str | None = None,
    pool: tuple[str, str] | None = None,
    dns_servers: Sequence[str] = (),
    project_id: str | None = None,
    is_default: bool = False,
) -> objects.Network:
    """A new network. Invalid, naming what is wrong; Conflict when its range meets another network's.

    :param gateway: the host's address in it; the first one when None.
    :param pool: first and last address that are allotted; all but the gateway's when None.
    :param project_id: whose it is; everyone's when None.
    """
    if not 1 <= len(name) <= 255:
        raise exceptions.Invalid("name: 1 to 255 characters are needed")
    try:
        whole = ipaddress.IPv4Network(cidr)
    except ValueError as error:
        raise exceptions.Invalid(f"cidr: {error}") from error
    if not _SHORTEST_PREFIX <= whole.prefixlen <= _LONGEST_PREFIX:
        raise exceptions.Invalid(f"cidr: /{_SHORTEST_PREFIX} to /{_LONGEST_PREFIX} can be used, not /{whole.prefixlen}")
    if whole.is_loopback or whole.is_multicast or whole.is_link_local or whole.is_unspecified:
        raise exceptions.Invalid(f"cidr: {cidr} is no range for hosts")
    first, last = whole.network_address + 1, whole.broadcast_address - 1
    own = _inside("gateway", gateway, whole) if gateway else first
    if pool is None:
        start, end = (first + 1, last) if own == first else (first, own - 1) if own == last else (own + 1, last)
    else:
        start, end = (_inside("pool", address, whole) for address in pool)
    if start > end or start <= own <= end:
        raise exceptions.Invalid(f"pool: {start} to {end} is empty or has the gateway {own} in it")
    for server in dns_servers:
        try:
            ipaddress.IPv4Address(server)
        except ValueError as error:
            raise exceptions.Invalid(f"dns: {error}") from error
    network = objects.Network(
        id=str(uuidlib.uuid4()),
        host=host,
        name=name,
        project_id=project_id,
        shared=project_id is None,
        is_default=is_default,
        created_at=now(),
        subnet_id=str(uuidlib.uuid4()),
        cidr=str(whole),
        gateway_ip=str(own),
        pool_start=str(start),
        pool_end=str(end),
        dns_servers=list(dns_servers),
    )
    with database.write() as connection:
        database.lock(connection, "networks")
        for other in db_networks.list_(connection):
            if whole.overlaps(ipaddress.IPv4Network(other.cidr)):
                raise exceptions.Conflict(
                    f"cidr: {cidr} overlaps {other.cidr} of the network {other.name} ({other.id})"
                )
        db_networks.insert(connection, network)
    return network


def _inside(field: str, address: str, whole: ipaddress.IPv4Network) -> ipaddress.IPv4Address:
    try:
        found = ipaddress.IPv4Address(address)
    except ValueError as error:
        raise exceptions.Invalid(f"{field}: {error}") from error
    if found not in whole or found in (whole.network_address, whole.broadcast_address):
        raise exceptions.Invalid(f"{field}: {address} is no host's address in {whole}")
    return found


def find_network(connection: Connection, name_or_id: str) -> objects.Network:
    """By id, or by a name that only one has. NotFound, or Conflict when several have that name."""
    found = [n for n in db_networks.list_(connection) if name_or_id in (n.id, n.name)]
    if not found:
        raise exceptions.NotFound(f"Network {name_or_id} could not be found.")
    if len(found) > 1:
        raise exceptions.Conflict(f"Several networks are named {name_or_id}: use an id.")
    return found[0]


def delete_network(database: Database, name_or_id: str) -> objects.Network:
    """Conflict while servers have ports on it."""
    with database.write() as connection:
        network = find_network(connection, name_or_id)
        database.lock(connection, f"network:{network.id}")
        if count := db_networks.count_ports(connection, network.id):
            message = f"Network {network.name} is in use by {count} ports: delete them or their servers first."
            raise exceptions.Conflict(message)
        db_networks.delete(connection, network.id)
    return network


def usable(connection: Connection, context: RequestContext) -> dict[str, objects.Network]:
    """The networks that the caller's project may use, by id."""
    return {n.id: n for n in db_networks.list_(connection) if n.shared or n.project_id == context.project_id}


def wishes(
    connection: Connection, context: RequestContext, wanted: list[dict[str, Any]] | str | None, count: int
) -> list[Wish]:
    """The cards that each of ``count`` new servers gets.

    :param wanted: a request's ``networks``. None and "auto": the default network, or the only one, or none at all
        where there is none; "none": none.
    :raises Invalid: a network or port that is not there, an address that cannot be had.
    :raises Conflict: several networks, and none of them the default; a port that another server has.
    """
    if wanted == "none":
        return []
    mine = usable(connection, context)
    if not wanted or wanted == "auto":
        defaults = [network for network in mine.values() if network.is_default] or list(mine.values())
        if len(defaults) > 1:
            raise exceptions.Conflict("Multiple possible networks found, use a Network ID to be more specific.")
        return [Wish(network) for network in defaults]
    assert not isinstance(wanted, str)
    found = []
    for item in wanted:
        if count > 1 and (item.get("port") or item.get("fixed_ip")):
            raise exceptions.Invalid("Invalid fixed_ip or port: several servers cannot have the same.")
        try:
            found.append(wish(connection, context, mine, item))
        except (exceptions.NotFound, AddressInUse) as error:
            raise exceptions.Invalid(str(error)) from error
    given = [(wish.network.id, wish.fixed_ip) for wish in found if wish.fixed_ip]
    if len(set(given)) < len(given):
        raise exceptions.Invalid("Invalid fixed_ip: one address is asked for twice.")
    return found


def wish(
    connection: Connection, context: RequestContext, mine: dict[str, objects.Network], item: dict[str, Any]
) -> Wish:
    """One card, of a port (``port``) or a network (``uuid``), there with a ``fixed_ip`` or without; and its ``tag``.

    :param mine: the networks that the caller may use.
    :raises NotFound: no such port or network. :raises Conflict: a server has the port.
    :raises Invalid: an address that is none of the network's. :raises AddressInUse: somebody has it.
    """
    tag = item.get("tag")
    if item.get("port"):
        port = db_networks.get_port(connection, item["port"])
        if port is None or port.network_id not in mine or port.project_id != context.project_id:
            raise exceptions.NotFound(f"Port id {item['port'][:64]} could not be found.")
        if port.device_id is not None:
            raise exceptions.Conflict(f"Port {port.id} is still in use.")
        return Wish(mine[port.network_id], port.fixed_ips[0], tag, port.id)
    network = mine.get(item["uuid"])
    if network is None:
        raise exceptions.NotFound(f"Network {item['uuid'][:255]} could not be found.")
    address = item.get("fixed_ip")
    return Wish(network, free_address(connection, network, address) if address else None, tag)


def free_address(connection: Connection, network: objects.Network, address: str) -> str:
    """An address of a network that nobody has. :raises Invalid: it is none. :raises AddressInUse: somebody has it."""
    try:
        number = _inside("fixed_ip", address, ipaddress.IPv4Network(network.cidr))
    except exceptions.Invalid as error:
        message = f"Fixed IP {address} is not a valid ip address for network {network.id}."
        raise exceptions.Invalid(message) from error
    if str(number) == network.gateway_ip:
        raise exceptions.Invalid(f"Fixed IP {address} is the gateway of network {network.id}.")
    if (holder := db_networks.holder_of(connection, network, str(number))) is not None:
        raise AddressInUse(f"Fixed IP address {address} is already in use on instance {holder}.")
    return str(number)


def groups_of(database: Database, connection: Connection, project_id: str, wanted: Iterable[str] | None) -> list[str]:
    """Ids of the security groups asked for, by name or id; of the project's default one when none is.

    The default group of a project is made when it is first needed. Invalid for a group that the project does not have.
    """
    database.lock(connection, f"security-groups:{project_id}")
    if db_groups.find(connection, project_id, db_groups.DEFAULT) is None:
        db_groups.insert(connection, project_id, db_groups.DEFAULT, "Default security group")
    asked = list(dict.fromkeys(wanted or [])) or [db_groups.DEFAULT]
    found = db_groups.names(connection, project_id, asked)
    for name, group_id in found.items():
        if group_id is None:
            raise exceptions.Invalid(f"Security group {name} not found for project {project_id}.")
    return list(dict.fromkeys(group_id for group_id in found.values() if group_id is not None))


def allot(
    database: Database,
    connection: Connection,
    instance: objects.Instance,
    wanted: Sequence[Wish],
    groups: Sequence[str],
) -> None:
    """Give a new server its ports. NoMoreFixedIps when a network has none left; it has no port then."""
    try:
        for wish in wanted:
            give(database, connection, instance, wish, groups)
    except NoMoreFixedIps:
        db_networks.release(connection, instance.uuid)
        raise


def give(
    database: Database,
    connection: Connection,
    instance: objects.Instance,
    wish: Wish,
    groups: Sequence[str],
    plugged: bool = True,
) -> str:
    """Give a server one more port, whose id is returned; a port that was there keeps its groups. NoMoreFixedIps when
    the network has no address left; Conflict when another server has the port.

    :param plugged: the VM will have the card when it is started next, and does not run.
    """
    port_id = wish.port_id
    if port_id is None:
        port_id = make_port(database, connection, wish.network, wish.fixed_ip, instance.project_id, groups)
    if not db_networks.bind(connection, port_id, instance.uuid, wish.tag, plugged):
        raise exceptions.Conflict(f"Port {port_id} is still in use.")
    return port_id


def make_port(
    database: Database,
    connection: Connection,
    network: objects.Network,
    fixed_ip: str | None,
    project_id: str,
    groups: Sequence[str],
    preserve: bool = False,
) -> str:
    """A port of no server, with this address or the next free one; its id. NoMoreFixedIps when none is left."""
    database.lock(connection, f"network:{network.id}")
    address = fixed_ip or db_networks.next_free(connection, network)
    if address is None:
        raise NoMoreFixedIps(network)
    return db_networks.insert_port(connection, network, address, project_id, groups, preserve)


def rule(
    group_id: str,
    direction: str,
    protocol: str | None,
    port_range: str | None,
    remote_ip: str | None,
    remote_group: str | None,
) -> objects.SecurityGroupRule:
    """A rule, checked. :param port_range: ``22`` or ``8000-8080``; for icmp a type, or ``type-code``. Invalid names
    the field that is wrong."""
    if direction not in ("ingress", "egress"):
        raise exceptions.Invalid(f"direction: {direction} is neither ingress nor egress")
    if protocol is not None and protocol not in ("tcp", "udp", "icmp"):
        if not (protocol.isascii() and protocol.isdigit() and int(protocol) <= 255):
            raise exceptions.Invalid(f"protocol: {protocol} is neither tcp, udp, icmp nor a number up to 255")
        protocol = {"1": "icmp", "6": "tcp", "17": "udp"}.get(str(int(protocol)), str(int(protocol)))
    low = high = None
    if port_range is not None:
        if protocol not in ("tcp", "udp", "icmp"):
            raise exceptions.Invalid("port: only tcp, udp and icmp have any")
        first, dash, last = port_range.partition("-")
        if not all(part.isascii() and part.isdigit() for part in (first, *([last] if dash else []))):
            raise exceptions.Invalid(f"port: {port_range} is neither a number nor two with a dash")
        low = int(first)
        high = int(last) if dash else (None if protocol == "icmp" else low)
        largest, smallest = (255, 0) if protocol == "icmp" else (65535, 1)
        if not all(smallest <= number <= largest for number in (low, high) if number is not None):
            raise exceptions.Invalid(f"port: {port_range} is not within {smallest} to {largest}")
        if protocol != "icmp" and high is not None and low > high:
            raise exceptions.Invalid(f"port: {port_range} is empty")
    if remote_ip and remote_group:
        raise exceptions.Invalid("remote_ip: cannot stand together with a remote group")
    if remote_ip:
        try:
            remote_ip = str(ipaddress.IPv4Network(remote_ip))
        except ValueError as error:
            raise exceptions.Invalid(f"remote_ip: {error}") from error
    return objects.SecurityGroupRule(
        str(uuidlib.uuid4()), group_id, direction, protocol, low, high, remote_ip or None, remote_group
    )


def add_group(database: Database, project_id: str, name: str, description: str = "") -> objects.SecurityGroup:
    """Conflict when the project has one of that name; Invalid for a name that cannot be."""
    if not 1 <= len(name) <= 255 or len(description) > 255:
        raise exceptions.Invalid("name: 1 to 255 characters are needed, and a description has at most 255")
    try:
        with database.write() as connection:
            return db_groups.insert(connection, project_id, name, description)
    except sa.exc.IntegrityError as error:
        raise exceptions.Conflict(f"Security group {name} already exists in project {project_id}.") from error
