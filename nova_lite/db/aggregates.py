"""Rows of ``aggregates`` and ``aggregate_hosts``: host aggregates, and the availability zones that they make."""

from __future__ import annotations

import uuid as uuidlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import aggregate_hosts, aggregates
from nova_lite.db.times import now
from nova_lite.objects.aggregate import ZONE

# Built once: every listing of servers asks for the zones.
_ALL = sa.select(*aggregates.columns).order_by(aggregates.c.id)
_HOSTS = sa.select(aggregate_hosts.c.aggregate_id, aggregate_hosts.c.host).order_by(
    aggregate_hosts.c.aggregate_id, aggregate_hosts.c.host
)
_ZONES = (
    sa.select(aggregate_hosts.c.host, aggregates.c.metadata)
    .join_from(aggregate_hosts, aggregates, aggregates.c.id == aggregate_hosts.c.aggregate_id)
    .order_by(aggregates.c.id)
)


def list_(connection: Connection) -> list[objects.Aggregate]:
    """Every aggregate, oldest first."""
    hosts: dict[int, list[str]] = {}
    for aggregate_id, host in connection.execute(_HOSTS):
        hosts.setdefault(aggregate_id, []).append(host)
    return [
        objects.Aggregate(
            id=row.id,
            uuid=row.uuid,
            name=row.name,
            created_at=row.created_at,
            updated_at=row.updated_at,
            metadata=dict(row.metadata),
            hosts=hosts.get(row.id, []),
        )
        for row in connection.execute(_ALL)
    ]


def zones_of_hosts(connection: Connection) -> dict[str, str]:
    """{host: availability zone} of the hosts that an aggregate puts into one."""
    return {host: values[ZONE] for host, values in connection.execute(_ZONES) if values.get(ZONE)}


def insert(connection: Connection, name: str, metadata: dict[str, str]) -> int:
    """Write a new aggregate; its id. IntegrityError when the name is taken."""
    values = {"uuid": str(uuidlib.uuid4()), "name": name, "metadata": metadata, "created_at": now()}
    result = connection.execute(sa.insert(aggregates), values)
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def update(connection: Connection, aggregate_id: int, values: dict[str, Any]) -> None:
    """Set name or metadata. IntegrityError when the name is taken."""
    connection.execute(
        sa.update(aggregates).where(aggregates.c.id == aggregate_id).values(values | {"updated_at": now()})
    )


def delete(connection: Connection, aggregate_id: int) -> None:
    connection.execute(sa.delete(aggregates).where(aggregates.c.id == aggregate_id))


def add_host(connection: Connection, aggregate_id: int, host: str) -> None:
    """IntegrityError when it is in there already."""
    connection.execute(sa.insert(aggregate_hosts), {"aggregate_id": aggregate_id, "host": host})


def remove_host(connection: Connection, aggregate_id: int, host: str) -> None:
    connection.execute(
        sa.delete(aggregate_hosts).where(aggregate_hosts.c.aggregate_id == aggregate_id, aggregate_hosts.c.host == host)
    )


def forget_host(connection: Connection, host: str) -> None:
    """Take a host that is gone out of every aggregate."""
    connection.execute(sa.delete(aggregate_hosts).where(aggregate_hosts.c.host == host))
