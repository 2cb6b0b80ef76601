"""Rows of ``floating_ips``; each has a port of its own on the external network, which holds the address."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import fixed_ips, floating_ips, networks, ports

_own, _target, _address = ports.alias(), ports.alias(), fixed_ips.alias()
_inner_address, _interface, _gateway = fixed_ips.alias(), ports.alias(), fixed_ips.alias()
_router_id = (
    sa.select(_interface.c.owner_id)
    .join(_gateway, _gateway.c.port_id == _interface.c.id)
    .join(_inner_address, _inner_address.c.subnet_id == _gateway.c.subnet_id)
    .where(
        _interface.c.device_owner == objects.ROUTER_INTERFACE,
        _inner_address.c.port_id == floating_ips.c.port_id,
        _inner_address.c.ip_address == floating_ips.c.fixed_ip_address,
    )
    .scalar_subquery()
)
_SELECT = (
    sa.select(
        floating_ips.c.id,
        floating_ips.c.project_id,
        floating_ips.c.description,
        floating_ips.c.created_at,
        _own.c.network_id,
        networks.c.name.label("network_name"),
        _address.c.ip_address.label("address"),
        floating_ips.c.port_id,
        floating_ips.c.fixed_ip_address,
        _target.c.device_id,
        _router_id.label("router_id"),
    )
    .join(_own, _own.c.id == floating_ips.c.own_port_id)
    .join(networks, networks.c.id == _own.c.network_id)
    .join(_address, _address.c.port_id == _own.c.id)
    .outerjoin(_target, _target.c.id == floating_ips.c.port_id)
    .order_by(floating_ips.c.created_at, floating_ips.c.id)
)


def list_(connection: Connection, project_id: str | None = None) -> list[objects.FloatingIP]:
    """The floating IPs of a project, or all, oldest first."""
    query = _SELECT if project_id is None else _SELECT.where(floating_ips.c.project_id == project_id)
    return [objects.FloatingIP(*row) for row in connection.execute(query)]


def get(connection: Connection, floating_ip_id: str) -> objects.FloatingIP | None:
    row = connection.execute(_SELECT.where(floating_ips.c.id == floating_ip_id)).one_or_none()
    return objects.FloatingIP(*row) if row is not None else None


def insert(connection: Connection, floating_ip_id: str, project_id: str, own_port_id: str, **facts: Any) -> None:
    values = {"id": floating_ip_id, "project_id": project_id, "own_port_id": own_port_id, **facts}
    connection.execute(sa.insert(floating_ips), values)


def update(connection: Connection, floating_ip_id: str, values: dict[str, Any]) -> None:
    """IntegrityError when another one leads to the same address of the same port."""
    connection.execute(sa.update(floating_ips).where(floating_ips.c.id == floating_ip_id).values(**values))


def delete(connection: Connection, floating_ip_id: str) -> str | None:
    """The row; the id of the port that held its address, which is left."""
    query = sa.select(floating_ips.c.own_port_id).where(floating_ips.c.id == floating_ip_id)
    own = connection.execute(query).scalar_one_or_none()
    connection.execute(sa.delete(floating_ips).where(floating_ips.c.id == floating_ip_id))
    return own
