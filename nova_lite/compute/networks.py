"""Networks and security groups as users ask for them: making them, and choosing what a new server gets."""

from __future__ import annotations

import ipaddress
import uuid as uuidlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Connection, Database
from nova_lite.db.times import now

DEFAULT_NETWORK = "private"
EXTERNAL_NETWORK = "public"  # where floating IPs come from
# The first of these that meets nothing on the host is the range of the default network.
DEFAULT_RANGES = tuple(f"10.{second}.0.0/20" for second in range(77, 100))
_SHORTEST_PREFIX, _LONGEST_PREFIX = 16, 29
_NOT_FOR_HOSTS = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")


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


@dataclass(frozen=True)
class Range:
    """What a network's addresses are; its parts as objects.Network has them."""

    cidr: str
    gateway_ip: str
    pool_start: str
    pool_end: str
    dns_servers: list[str]


def checked_range(
    cidr: str, gateway: str | None = None, pool: tuple[str, str] | None = None, dns_servers: Sequence[str] = ()
) -> Range:
    """Invalid, naming what is wrong.

    :param cidr: any address of the range and its prefix, as Neutron takes it.
    :param gateway: the host's address in it; the first one when None.
    :param pool: first and last address that are allotted; all but the gateway's when None.
    """
    try:
        whole = ipaddress.IPv4Network(cidr, strict=False)
    except ValueError as error:
        raise exceptions.Invalid(f"cidr: {error}") from error
    if not _SHORTEST_PREFIX <= whole.prefixlen <= _LONGEST_PREFIX:
        raise exceptions.Invalid(f"cidr: /{_SHORTEST_PREFIX} to /{_LONGEST_PREFIX} can be used, not /{whole.prefixlen}")
    if any(whole.overlaps(ipaddress.IPv4Network(other)) for other in _NOT_FOR_HOSTS):
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
    return Range(str(whole), str(own), str(start), str(end), list(dns_servers))


def overlapping(connection: Connection, cidr: str) -> objects.Network | None:
    """A network whose range meets this one."""
    whole = ipaddress.IPv4Network(cidr)
    found = (n for n in db_networks.list_(connection) if whole.overlaps(ipaddress.IPv4Network(n.cidr)))
    return next(found, None)


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
    external: bool = False,
) -> objects.Network:
    """A new network. Invalid, naming what is wrong; Conflict when its range meets another network's.

    :param gateway: and ``pool`` as for ``checked_range``.
    :param project_id: whose it is; everyone's when None.
    :param external: floating IPs come from it, and no server is on it.
    """
    if not 1 <= len(name) <= 255:
        raise exceptions.Invalid("name: 1 to 255 characters are needed")
    network = objects.Network(
        id=str(uuidlib.uuid4()),
        host=host,
        name=name,
        project_id=project_id,
        shared=project_id is None and not external,
        is_default=is_default,
        created_at=now(),
        subnet_id=str(uuidlib.uuid4()),
        **vars(checked_range(cidr, gateway, pool, dns_servers)),
        external=external,
        subnet_created_at=now(),
    )
    with database.write() as connection:
        database.lock(connection, "networks")
        if (other := overlapping(connection, network.cidr)) is not None:
            raise exceptions.Conflict(f"cidr: {cidr} overlaps {other.cidr} of the network {other.name} ({other.id})")
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
    found = [n for n in db_networks.list_(connection, bare=True) if name_or_id in (n.id, n.name)]
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
    """The networks that the caller's project may have cards on, by id."""
    mine = (n for n in db_networks.list_(connection) if n.shared or n.project_id == context.project_id)
    return {network.id: network for network in mine if not network.external}


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
        if count > 1 and item.get("port"):
            raise exceptions.Invalid(
                "Failed to launch instances: Unable to launch multiple instances with a single configured port ID. "
                "Please launch your instance one by one with different ports."
            )
        if count > 1 and item.get("fixed_ip"):
            raise exceptions.Invalid(
                "Failed to launch instances: max_count cannot be greater than 1 if an fixed_ip is specified."
            )
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
        if port.device_id is not None or port.owner_id is not None:
            raise exceptions.Conflict(f"Port {port.id} is still in use.")
        if not port.fixed_ips:
            raise exceptions.Invalid(f"Port {port.id} requires a FixedIP in order to be used.")
        return Wish(mine[port.network_id], port.fixed_ips[0], tag, port.id)
    network = mine.get(item["uuid"])
    if network is None:
        bare = db_networks.get(connection, item["uuid"])
        if bare is not None and not bare.cidr and (bare.shared or bare.project_id == context.project_id):
            raise exceptions.Invalid(f"Network {bare.id} requires a subnet in order to boot instances on.")
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
    **facts: Any,
) -> str:
    """A port of no server, with this address or the next free one; its id. NoMoreFixedIps when none is left.

    :param facts: further columns of its row.
    """
    database.lock(connection, f"network:{network.id}")
    address = fixed_ip or db_networks.next_free(connection, network)
    if address is None:
        raise NoMoreFixedIps(network)
    return db_networks.insert_port(connection, network, address, project_id, groups, preserve, **facts)
