"""Rows of ``migrations``: the records of resizes and migrations of servers."""

from __future__ import annotations

import uuid as uuidlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.db.tables import instances, migrations
from nova_lite.db.times import now

_FIELDS = [column.name for column in migrations.columns]
_SELECT = sa.select(*migrations.columns)


def _from_row(row: Any) -> objects.Migration:
    return objects.Migration(**dict(zip(_FIELDS, row, strict=True)))


def insert(connection: Connection, **values: Any) -> int:
    """Write a new record; its row's id."""
    at = now()
    row = {"uuid": str(uuidlib.uuid4()), "created_at": at, "updated_at": at, **values}
    result = connection.execute(sa.insert(migrations), row)
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def advance(connection: Connection, instance_uuid: str, status: str, since: Sequence[str]) -> bool:
    """Give the newest record of a server that is in one of the states ``since`` another one; False when none is."""
    newest = sa.select(sa.func.max(migrations.c.id)).where(
        migrations.c.instance_uuid == instance_uuid, migrations.c.status.in_(since)
    )
    found = connection.execute(newest).scalar_one_or_none()
    if found is None:
        return False
    values = {"status": status, "updated_at": now()}
    connection.execute(sa.update(migrations).where(migrations.c.id == found).values(values))
    return True


def get(connection: Connection, instance_uuid: str, migration_id: int) -> objects.Migration | None:
    query = _SELECT.where(migrations.c.id == migration_id, migrations.c.instance_uuid == instance_uuid)
    row = connection.execute(query).one_or_none()
    return _from_row(row) if row is not None else None


def finished_before(connection: Connection, host: str, moment: datetime) -> list[str]:
    """The live servers of a host that were resized before that moment and wait to be confirmed."""
    query = (
        sa.select(instances.c.uuid)
        .join(migrations, migrations.c.instance_uuid == instances.c.uuid)
        .where(
            instances.c.host == host,
            instances.c.deleted.is_(False),
            instances.c.vm_state == "resized",
            instances.c.task_state.is_(None),
            migrations.c.status == "finished",
            migrations.c.updated_at < moment,
        )
    )
    return list(connection.execute(query).scalars())


def list_(
    connection: Connection, filters: dict[str, Any], limit: int | None = None, marker: str | None = None
) -> list[objects.Migration]:
    """The records that match, the newest first.

    :param filters: ``host`` (source or destination), ``source_compute``, ``instance_uuid``, ``status``,
        ``migration_type``, ``user_id``, ``project_id``, ``changes_since``, ``changes_before``.
    :raises Invalid: no record has ``marker`` for its uuid.
    """
    query = _SELECT
    for name, value in filters.items():
        if name == "host":
            query = query.where(sa.or_(migrations.c.source_compute == value, migrations.c.dest_compute == value))
        elif name == "changes_since":
            query = query.where(migrations.c.updated_at >= value)
        elif name == "changes_before":
            query = query.where(migrations.c.updated_at <= value)
        else:
            query = query.where(migrations.c[name] == value)
    if marker is not None:
        place = connection.execute(
            sa.select(migrations.c.created_at, migrations.c.id).where(migrations.c.uuid == marker)
        ).one_or_none()
        if place is None:
            raise exceptions.Invalid(f"Marker {marker} could not be found.")
        older = migrations.c.created_at < place.created_at
        same = sa.and_(migrations.c.created_at == place.created_at, migrations.c.id < place.id)
        query = query.where(sa.or_(older, same))
    rows = connection.execute(query.order_by(migrations.c.created_at.desc(), migrations.c.id.desc()).limit(limit))
    return [_from_row(row) for row in rows]
