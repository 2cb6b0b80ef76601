"""Rows of ``networks`` with their subnets, and of ``ports`` with their addresses."""

from __future__ import annotations

import ipaddress
import secrets
import uuid as uuidlib
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import fixed_ips, networks, port_security_groups, ports, security_groups, subnets
from nova_lite.db.times import now

_SELECT = sa.select(
    networks.c.id,
    networks.c.host,
    networks.c.name,
    networks.c.project_id,
    networks.c.shared,
    networks.c.is_default,
    networks.c.created_at,
    subnets.c.id.label("subnet_id"),
    subnets.c.cidr,
    subnets.c.gateway_ip,
    subnets.c.pool_start,
    subnets.c.pool_end,
    subnets.c.dns_servers,
).join(subnets, subnets.c.network_id == networks.c.id)


_COLUMNS = ("id", "host", "name", "project_id", "shared", "is_default", "created_at")


def _from_row(row: sa.Row) -> objects.Network:
    network = objects.Network(*row)
    network.pool_start = str(ipaddress.IPv4Address(row.pool_start))
    network.pool_end = str(ipaddress.IPv4Address(row.pool_end))
    return network


def get(connection: Connection, network_id: str) -> objects.Network | None:
    row = connection.execute(_SELECT.where(networks.c.id == network_id)).one_or_none()
    return _from_row(row) if row is not None else None


def list_(connection: Connection) -> list[objects.Network]:
    """Every network, oldest first."""
    return [_from_row(row) for row in connection.execute(_SELECT.order_by(networks.c.created_at, networks.c.id))]


def insert(connection: Connection, network: objects.Network) -> None:
    pool_start, pool_end = (int(ipaddress.IPv4Address(end)) for end in (network.pool_start, network.pool_end))
    values = {name: getattr(network, name) for name in _COLUMNS}
    connection.execute(sa.insert(networks), values)
    connection.execute(
        sa.insert(subnets),
        {
            "id": network.subnet_id,
            "network_id": network.id,
            "cidr": network.cidr,
            "gateway_ip": network.gateway_ip,
            "pool_start": pool_start,
            "pool_end": pool_end,
            "last_allotted": pool_start - 1,
            "dns_servers": network.dns_servers,
        },
    )


def delete(connection: Connection, network_id: str) -> None:
    connection.execute(sa.delete(subnets).where(subnets.c.network_id == network_id))
    connection.execute(sa.delete(networks).where(networks.c.id == network_id))


def count_ports(connection: Connection, network_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(ports).where(ports.c.network_id == network_id)
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
    address: str,
    project_id: str,
    groups: Iterable[str],
    preserve: bool = False,
) -> str:
    """A port with one address, of no server yet; its id. IntegrityError when another port has the address."""
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
        },
    )
    number = int(ipaddress.IPv4Address(address))
    values = {"port_id": port_id, "subnet_id": network.subnet_id, "number": number, "ip_address": address}
    connection.execute(sa.insert(fixed_ips), values)
    bindings = [{"port_id": port_id, "security_group_id": group} for group in groups]
    if bindings:
        connection.execute(sa.insert(port_security_groups), bindings)
    return port_id


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


def all_ports(connection: Connection) -> list[objects.Port]:
    """Every port, those of a server together."""
    return _ports(connection, sa.true())


def ports_of(connection: Connection, server_ids: Iterable[str]) -> dict[str, list[objects.Port]]:
    """The ports of each of these servers, in the order of their cards; only servers that have any."""
    of_server: dict[str, list[objects.Port]] = {}
    for port in _ports(connection, ports.c.device_id.in_(list(server_ids))):
        of_server.setdefault(str(port.device_id), []).append(port)
    return of_server


_PORT = (ports.c.id, ports.c.network_id, networks.c.name, ports.c.project_id, ports.c.mac_address, ports.c.device_id)
_PORT_FACTS = (*_PORT, ports.c.tag, ports.c.preserve, ports.c.plugged)


def _ports(connection: Connection, which: sa.ColumnElement[bool]) -> list[objects.Port]:
    query = (
        sa.select(
            *_PORT_FACTS,
            fixed_ips.c.subnet_id,
            fixed_ips.c.ip_address,
            security_groups.c.id.label("group_id"),
            security_groups.c.name.label("group_name"),
        )
        .join(networks, networks.c.id == ports.c.network_id)
        .outerjoin(fixed_ips, fixed_ips.c.port_id == ports.c.id)
        .outerjoin(port_security_groups, port_security_groups.c.port_id == ports.c.id)
        .outerjoin(security_groups, security_groups.c.id == port_security_groups.c.security_group_id)
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
    return list(found.values())


def release(connection: Connection, server_id: str, port_id: str | None = None) -> None:
    """Take the ports of a server from it, or one of them. Those that were made for it go, with their addresses."""
    own = [ports.c.device_id == server_id, *([ports.c.id == port_id] if port_id else [])]
    kept = sa.update(ports).where(*own, ports.c.preserve.is_(True))
    connection.execute(kept.values(device_id=None, tag=None, plugged=True))
    _delete_ports(connection, sa.and_(*own))


def delete_port(connection: Connection, port_id: str) -> None:
    """A port that no server has, with its address."""
    _delete_ports(connection, sa.and_(ports.c.id == port_id, ports.c.device_id.is_(None)))


def _delete_ports(connection: Connection, which: sa.ColumnElement[bool]) -> None:
    going = sa.select(ports.c.id).where(which).scalar_subquery()
    for table in (fixed_ips, port_security_groups):
        connection.execute(sa.delete(table).where(table.c.port_id.in_(going)))
    connection.execute(sa.delete(ports).where(which))
