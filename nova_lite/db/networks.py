"""Rows of ``networks`` with their subnets, and of ``ports`` with their addresses."""

from __future__ import annotations

import ipaddress
import secrets
import uuid as uuidlib
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.many import among
from nova_lite.db.tables import (
    fixed_ips,
    floating_ips,
    networks,
    port_security_groups,
    ports,
    routers,
    security_groups,
    subnets,
)
from nova_lite.db.times import now

_COLUMNS = ("id", "host", "name", "project_id", "shared", "is_default", "created_at", "description", "external")
_SUBNET = {
    "subnet_id": subnets.c.id,
    "cidr": subnets.c.cidr,
    "gateway_ip": subnets.c.gateway_ip,
    "pool_start": subnets.c.pool_start,
    "pool_end": subnets.c.pool_end,
    "dns_servers": subnets.c.dns_servers,
    "subnet_name": subnets.c.name,
    "subnet_description": subnets.c.description,
    "enable_dhcp": subnets.c.enable_dhcp,
    "subnet_created_at": subnets.c.created_at,
}
_SELECT = sa.select(
    *(networks.c[name] for name in _COLUMNS), *(column.label(name) for name, column in _SUBNET.items())
).outerjoin(subnets, subnets.c.network_id == networks.c.id)
_NO_SUBNET = dict.fromkeys(("subnet_id", "cidr", "gateway_ip", "pool_start", "pool_end"), "")


def _from_row(row: sa.Row) -> objects.Network:
    facts = dict(row._mapping)
    if row.subnet_id is None:
        facts = {name: facts[name] for name in _COLUMNS} | _NO_SUBNET
    else:
        facts |= {name: str(ipaddress.IPv4Address(facts[name])) for name in ("pool_start", "pool_end")}
    return objects.Network(**facts)


def get(connection: Connection, network_id: str) -> objects.Network | None:
    row = connection.execute(_SELECT.where(networks.c.id == network_id)).one_or_none()
    return _from_row(row) if row is not None else None


def of_subnet(connection: Connection, subnet_id: str) -> objects.Network | None:
    """The network that has a subnet."""
    row = connection.execute(_SELECT.where(subnets.c.id == subnet_id)).one_or_none()
    return _from_row(row) if row is not None else None


def list_(connection: Connection, bare: bool = False) -> list[objects.Network]:
    """Every network, oldest first. :param bare: also those that have no range yet, which nobody can use."""
    query = _SELECT.order_by(networks.c.created_at, networks.c.id)
    return [_from_row(row) for row in connection.execute(query if bare else query.where(subnets.c.id.is_not(None)))]


def insert(connection: Connection, network: objects.Network) -> None:
    """With its range, if it has one."""
    connection.execute(sa.insert(networks), {name: getattr(network, name) for name in _COLUMNS})
    if network.subnet_id:
        insert_subnet(connection, network)


def insert_subnet(connection: Connection, network: objects.Network) -> None:
    """The range of a network that is there."""
    values: dict[str, Any] = {"id": network.subnet_id, "network_id": network.id}
    values |= _subnet_values({name: getattr(network, name) for name in _SUBNET if name != "subnet_id"})
    connection.execute(sa.insert(subnets), values | {"last_allotted": values["pool_start"] - 1})


def update(connection: Connection, network_id: str, values: dict[str, Any]) -> None:
    """:param values: by the names of objects.Network; those of the subnet too."""
    own = {name: value for name, value in values.items() if name in _COLUMNS}
    if own:
        connection.execute(sa.update(networks).where(networks.c.id == network_id).values(**own))
    subnet = _subnet_values({name: value for name, value in values.items() if name in _SUBNET})
    if subnet:
        connection.execute(sa.update(subnets).where(subnets.c.network_id == network_id).values(**subnet))


def _subnet_values(facts: dict[str, Any]) -> dict[str, Any]:
    """Columns of ``subnets``: ends of the pool are numbers there."""
    values = {_SUBNET[name].name: value for name, value in facts.items()}
    numbers = {name: int(ipaddress.IPv4Address(values[name])) for name in ("pool_start", "pool_end") if name in values}
    return values | numbers


def delete_subnet(connection: Connection, network_id: str) -> None:
    connection.execute(sa.delete(subnets).where(subnets.c.network_id == network_id))


def delete(connection: Connection, network_id: str) -> None:
    delete_subnet(connection, network_id)
    connection.execute(sa.delete(networks).where(networks.c.id == network_id))


def count_ports(connection: Connection, network_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(ports).where(ports.c.network_id == network_id)
    return int(connection.execute(query).scalar_one())


def count_routers(connection: Connection, network_id: str) -> int:
    """Those whose way out it is."""
    query = sa.select(sa.func.count()).select_from(routers).where(routers.c.external_network_id == network_id)
    return int(connection.execute(query).scalar_one())


def holder_of(connection: Connection, network: objects.Network, address: str) -> str | None:
    """The server that has an address, or the port where that has no server; None when nobody has."""
    query = (
        sa.select(sa.func.coalesce(ports.c.device_id, ports.c.id))
        .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
        .where(fixed_ips.c.subnet_id == network.subnet_id, fixed_ips.c.number == int(ipaddress.IPv4Address(address)))
    )
    return connection.execute(query).scalar_one_or_none()


def next_free(connection: Connection, network: objects.Network) -> str | None:
    """An address of the pool that no port has, the next after the last that was allotted; None when there is none.

    The caller holds the lock of the network, and inserts the port in the same transaction.
    """
    row = connection.execute(
        sa.select(subnets.c.pool_start, subnets.c.pool_end, subnets.c.last_allotted).where(
            subnets.c.id == network.subnet_id
        )
    ).one()
    number = _gap(connection, network.subnet_id, max(row.last_allotted + 1, row.pool_start), row.pool_end)
    if number is None:
        number = _gap(connection, network.subnet_id, row.pool_start, row.pool_end)
    if number is None:
        return None
    connection.execute(sa.update(subnets).where(subnets.c.id == network.subnet_id).values(last_allotted=number))
    return str(ipaddress.IPv4Address(number))


def _gap(connection: Connection, subnet_id: str, first: int, last: int) -> int | None:
    """The lowest number from ``first`` to ``last`` that is not taken."""
    if first > last:
        return None
    taken, after = fixed_ips.alias(), fixed_ips.alias()
    is_taken = sa.select(taken.c.number).where(taken.c.subnet_id == subnet_id, taken.c.number == first)
    if connection.execute(is_taken).one_or_none() is None:
        return first
    follows = sa.exists().where(after.c.subnet_id == subnet_id, after.c.number == taken.c.number + 1)
    query = sa.select(sa.func.min(taken.c.number + 1)).where(
        taken.c.subnet_id == subnet_id, taken.c.number >= first, taken.c.number < last, ~follows
    )
    found = connection.execute(query).scalar_one_or_none()
    return int(found) if found is not None else None


def insert_port(
    connection: Connection,
    network: objects.Network,
    address: str | None,
    project_id: str,
    groups: Iterable[str],
    preserve: bool = False,
    **facts: Any,
) -> str:
    """A port with one address or none, of no server yet; its id. IntegrityError when another port has the address.

    :param facts: further columns of the row.
    """
    port_id = str(uuidlib.uuid4())
    connection.execute(
        sa.insert(ports),
        {
            "id": port_id,
            "network_id": network.id,
            "project_id": project_id,
            "mac_address": "fa:16:3e:" + ":".join(f"{byte:02x}" for byte in secrets.token_bytes(3)),
            "device_index": 0,
            "created_at": now(),
            "preserve": preserve,
            **facts,
        },
    )
    if address is not None:
        insert_address(connection, port_id, network, address)
    bindings = [{"port_id": port_id, "security_group_id": group} for group in groups]
    if bindings:
        connection.execute(sa.insert(port_security_groups), bindings)
    return port_id


def insert_address(connection: Connection, port_id: str, network: objects.Network, address: str) -> None:
    """Give a port an address. IntegrityError when another port has it."""
    number = int(ipaddress.IPv4Address(address))
    values = {"port_id": port_id, "subnet_id": network.subnet_id, "number": number, "ip_address": address}
    connection.execute(sa.insert(fixed_ips), values)


def delete_address(connection: Connection, port_id: str, address: str) -> None:
    """Take an address from a port; a floating IP that led to it leads nowhere."""
    _unbind_floating(connection, sa.and_(floating_ips.c.port_id == port_id, floating_ips.c.fixed_ip_address == address))
    columns = fixed_ips.c
    connection.execute(sa.delete(fixed_ips).where(columns.port_id == port_id, columns.ip_address == address))


def update_port(connection: Connection, port_id: str, values: dict[str, Any]) -> None:
    connection.execute(sa.update(ports).where(ports.c.id == port_id).values(**values))


def _unbind_floating(connection: Connection, which: sa.ColumnElement[bool]) -> None:
    connection.execute(sa.update(floating_ips).where(which).values(port_id=None, fixed_ip_address=None))


def bind(connection: Connection, port_id: str, server_id: str, tag: str | None, plugged: bool) -> bool:
    """Make a port the last card of a server; False when another server has it, or it is not there."""
    last = sa.select(sa.func.coalesce(sa.func.max(ports.c.device_index) + 1, 0)).where(ports.c.device_id == server_id)
    index = connection.execute(last).scalar_one()
    values = {"device_id": server_id, "device_index": index, "tag": tag, "plugged": plugged}
    query = sa.update(ports).where(ports.c.id == port_id, ports.c.device_id.is_(None)).values(**values)
    return connection.execute(query).rowcount == 1


def mark_plugged(connection: Connection, server_id: str) -> None:
    """A server's VM was started with all its cards."""
    query = sa.update(ports).where(ports.c.device_id == server_id, ports.c.plugged.is_(False)).values(plugged=True)
    connection.execute(query)


def get_port(connection: Connection, port_id: str) -> objects.Port | None:
    return next(iter(_ports(connection, ports.c.id == port_id)), None)


def all_ports(connection: Connection, project_id: str | None = None) -> list[objects.Port]:
    """Every port, or those of a project; those of a server together."""
    return _ports(connection, sa.true() if project_id is None else ports.c.project_id == project_id)


def ports_on(connection: Connection, network_id: str) -> list[objects.Port]:
    """The ports on a network."""
    return _ports(connection, ports.c.network_id == network_id)


def ports_of(connection: Connection, server_ids: Iterable[str]) -> dict[str, list[objects.Port]]:
    """The ports of each of these servers, in the order of their cards; only servers that have any."""
    of_server: dict[str, list[objects.Port]] = {}
    for port in _ports(connection, among(ports.c.device_id, server_ids)):
        of_server.setdefault(str(port.device_id), []).append(port)
    return of_server


_PORT = (ports.c.id, ports.c.network_id, networks.c.name, ports.c.project_id, ports.c.mac_address, ports.c.device_id)
_PORT_MORE = ("tag", "preserve", "plugged", "name", "description", "device_owner", "owner_id", "created_at")
_PORT_FACTS = (*_PORT, *(ports.c[name] for name in _PORT_MORE))
_LED_BY = fixed_ips.alias()  # the addresses of floating IPs


def _ports(connection: Connection, which: sa.ColumnElement[bool]) -> list[objects.Port]:
    query = (
        sa.select(
            *_PORT_FACTS,
            fixed_ips.c.subnet_id,
            fixed_ips.c.ip_address,
            security_groups.c.id.label("group_id"),
            security_groups.c.name.label("group_name"),
            _LED_BY.c.ip_address.label("floating_ip"),
        )
        .join(networks, networks.c.id == ports.c.network_id)
        .outerjoin(fixed_ips, fixed_ips.c.port_id == ports.c.id)
        .outerjoin(port_security_groups, port_security_groups.c.port_id == ports.c.id)
        .outerjoin(security_groups, security_groups.c.id == port_security_groups.c.security_group_id)
        .outerjoin(
            floating_ips,
            sa.and_(floating_ips.c.port_id == ports.c.id, floating_ips.c.fixed_ip_address == fixed_ips.c.ip_address),
        )
        .outerjoin(_LED_BY, _LED_BY.c.port_id == floating_ips.c.own_port_id)
        .where(which)
        .order_by(ports.c.device_id, ports.c.device_index, fixed_ips.c.number, security_groups.c.name)
    )
    found: dict[str, objects.Port] = {}
    for row in connection.execute(query):
        port = found.setdefault(row.id, objects.Port(*row[: len(_PORT_FACTS)]))
        if row.ip_address is not None and row.ip_address not in port.fixed_ips:
            port.fixed_ips.append(row.ip_address)
            port.subnet_id = row.subnet_id
        if row.group_id is not None:
            port.security_groups[row.group_id] = row.group_name
        if row.floating_ip is not None and row.floating_ip not in port.floating_ips.get(row.ip_address, ()):
            port.floating_ips.setdefault(row.ip_address, []).append(row.floating_ip)
    return list(found.values())


def release(connection: Connection, server_id: str, port_id: str | None = None) -> None:
    """Take the ports of a server from it, or one of them. Those that were made for it go, with their addresses."""
    own = [ports.c.device_id == server_id, *([ports.c.id == port_id] if port_id else [])]
    kept = sa.update(ports).where(*own, ports.c.preserve.is_(True))
    connection.execute(kept.values(device_id=None, tag=None, plugged=True))
    _delete_ports(connection, sa.and_(*own))


def delete_port(connection: Connection, port_id: str) -> None:
    """A port that no server has, with its address; a floating IP that led to it leads nowhere."""
    _delete_ports(connection, sa.and_(ports.c.id == port_id, ports.c.device_id.is_(None)))


def _delete_ports(connection: Connection, which: sa.ColumnElement[bool]) -> None:
    going = sa.select(ports.c.id).where(which).scalar_subquery()
    _unbind_floating(connection, floating_ips.c.port_id.in_(going))
    for table in (fixed_ips, port_security_groups):
        connection.execute(sa.delete(table).where(table.c.port_id.in_(going)))
    connection.execute(sa.delete(ports).where(which))
