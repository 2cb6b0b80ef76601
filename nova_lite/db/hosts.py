"""Rows of ``services`` and ``compute_nodes``: what runs on which host, when it was last heard of, what the host has."""

from __future__ import annotations

import uuid as uuidlib
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db import aggregates
from nova_lite.db.tables import compute_nodes, services
from nova_lite.db.times import now

COMPUTE = "nova-compute"

# Built once: to build it costs more than to run it.
_SERVICES = sa.select(*services.columns).order_by(services.c.id)


def list_services(connection: Connection, default_zone: str, down_after: float) -> list[objects.Service]:
    """Every service, up when it was heard of in the last ``down_after`` seconds and not forced down.

    Its zone is the one that an aggregate puts its host into, else ``default_zone``.
    """
    zones = aggregates.zones_of_hosts(connection)
    return [_service(row, zones.get(row.host, default_zone), down_after) for row in connection.execute(_SERVICES)]


def _service(row: Any, zone: str, down_after: float) -> objects.Service:
    seen: datetime | None = row.last_seen_up
    alive = seen is not None and now() - seen <= timedelta(seconds=down_after)
    return objects.Service(
        id=row.id,
        uuid=row.uuid,
        binary=row.binary,
        host=row.host,
        zone=zone,
        disabled=row.disabled,
        disabled_reason=row.disabled_reason,
        forced_down=row.forced_down,
        state="up" if alive and not row.forced_down else "down",
        updated_at=seen or row.updated_at or row.created_at,
    )


def update_service(connection: Connection, service_id: int, values: dict[str, Any]) -> None:
    connection.execute(sa.update(services).where(services.c.id == service_id).values(values | {"updated_at": now()}))


def delete_service(connection: Connection, service: objects.Service) -> None:
    """Remove a service and what is known of its host, also out of the aggregates."""
    connection.execute(sa.delete(services).where(services.c.id == service.id))
    if service.binary == COMPUTE:
        aggregates.forget_host(connection, service.host)
        connection.execute(sa.delete(compute_nodes).where(compute_nodes.c.host == service.host))


def heartbeat(connection: Connection, host: str, binary: str, uptime: str, free_disk_gb: int | None = None) -> None:
    """Note that a service lives, and its host's uptime and free disk; writes its row the first time."""
    at = now()
    said = {"uptime": uptime, "disk_available_least": free_disk_gb}
    connection.execute(sa.update(compute_nodes).where(compute_nodes.c.host == host).values(said))
    query = sa.update(services).where(services.c.host == host, services.c.binary == binary)
    if connection.execute(query.values(last_seen_up=at)).rowcount == 0:
        values = {"uuid": str(uuidlib.uuid4()), "host": host, "binary": binary, "disabled": False}
        values |= {"forced_down": False, "last_seen_up": at, "created_at": at}
        connection.execute(sa.insert(services), values)


def list_nodes(connection: Connection) -> list[Any]:
    """Rows of ``compute_nodes``, oldest first."""
    return list(connection.execute(sa.select(*compute_nodes.columns).order_by(compute_nodes.c.id)))


def record_node(connection: Connection, host: str, values: dict[str, Any]) -> None:
    """Write what a host offers. Its uuid is drawn once and stays."""
    at = now()
    query = sa.update(compute_nodes).where(compute_nodes.c.host == host)
    if connection.execute(query.values(values | {"updated_at": at})).rowcount == 0:
        new = {"uuid": str(uuidlib.uuid4()), "host": host, "created_at": at, "updated_at": at}
        connection.execute(sa.insert(compute_nodes), values | new)
