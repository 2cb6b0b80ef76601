"""Rows of ``volume_snapshots``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import volume_snapshots as table
from nova_lite.db.times import now

_FIELDS = [column.name for column in table.columns if column.name != "id"]
_SELECT = sa.select(*(table.c[name] for name in _FIELDS))


def _from_row(row: Any) -> objects.VolumeSnapshot:
    return objects.VolumeSnapshot(**dict(zip(_FIELDS, row, strict=True)))


def get(connection: Connection, uuid: str, for_update: bool = False) -> objects.VolumeSnapshot | None:
    """``for_update`` holds its row until the transaction ends."""
    query = _SELECT.where(table.c.uuid == uuid)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return _from_row(row) if row is not None else None


def list_(connection: Connection, host: str, **wanted: str) -> list[objects.VolumeSnapshot]:
    """Those of a host whose columns have these values, oldest first."""
    conditions = [table.c[name] == value for name, value in wanted.items()]
    query = _SELECT.where(table.c.host == host, *conditions).order_by(table.c.id)
    return [_from_row(row) for row in connection.execute(query)]


def insert(connection: Connection, snapshot: objects.VolumeSnapshot) -> None:
    connection.execute(sa.insert(table), {name: getattr(snapshot, name) for name in _FIELDS})


def update(connection: Connection, uuid: str, **values: Any) -> None:
    connection.execute(sa.update(table).where(table.c.uuid == uuid), {**values, "updated_at": now()})


def delete(connection: Connection, uuid: str) -> None:
    connection.execute(sa.delete(table).where(table.c.uuid == uuid))
