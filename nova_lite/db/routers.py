"""Rows of ``routers``; a router's interfaces are ports with the gateway addresses of subnets."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import fixed_ips, ports, routers

_ROUTER = tuple(
    routers.c[name] for name in ("id", "project_id", "name", "description", "created_at", "external_network_id")
)


def list_(connection: Connection, project_id: str | None = None) -> list[objects.Router]:
    """The routers of a project, or all, oldest first."""
    query = sa.select(*_ROUTER).order_by(routers.c.created_at, routers.c.id)
    return _found(connection, query if project_id is None else query.where(routers.c.project_id == project_id))


def get(connection: Connection, router_id: str) -> objects.Router | None:
    return next(iter(_found(connection, sa.select(*_ROUTER).where(routers.c.id == router_id))), None)


def _found(connection: Connection, query: sa.Select[Any]) -> list[objects.Router]:
    found = {row.id: objects.Router(*row) for row in connection.execute(query)}
    interfaces = (
        sa.select(ports.c.owner_id, ports.c.id, fixed_ips.c.subnet_id)
        .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
        .where(ports.c.device_owner == objects.ROUTER_INTERFACE, ports.c.owner_id.in_(found))
        .order_by(ports.c.created_at, ports.c.id)
    )
    for row in connection.execute(interfaces):
        found[row.owner_id].interfaces[row.id] = row.subnet_id
    return list(found.values())


def insert(connection: Connection, router: objects.Router) -> None:
    connection.execute(sa.insert(routers), {column.name: getattr(router, column.name) for column in _ROUTER})


def update(connection: Connection, router_id: str, values: dict[str, Any]) -> None:
    connection.execute(sa.update(routers).where(routers.c.id == router_id).values(**values))


def delete(connection: Connection, router_id: str) -> None:
    connection.execute(sa.delete(routers).where(routers.c.id == router_id))


def of_subnet(connection: Connection, subnet_id: str) -> objects.Router | None:
    """The router that a subnet is connected to."""
    query = (
        sa.select(ports.c.owner_id)
        .join(fixed_ips, fixed_ips.c.port_id == ports.c.id)
        .where(ports.c.device_owner == objects.ROUTER_INTERFACE, fixed_ips.c.subnet_id == subnet_id)
    )
    router_id = connection.execute(query).scalar_one_or_none()
    return get(connection, router_id) if router_id is not None else None
