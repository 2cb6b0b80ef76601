"""Rows of ``volumes``."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import block_device_mapping, volumes
from nova_lite.db.times import now

_FIELDS = [column.name for column in volumes.columns if column.name != "id"]
_SELECT = sa.select(*(volumes.c[name] for name in _FIELDS))


def _from_row(row: Any) -> objects.Volume:
    return objects.Volume(**dict(zip(_FIELDS, row, strict=True)))


def get(connection: Connection, uuid: str, for_update: bool = False) -> objects.Volume | None:
    """``for_update`` holds its row until the transaction ends."""
    query = _SELECT.where(volumes.c.uuid == uuid)
    row = connection.execute(query.with_for_update() if for_update else query).one_or_none()
    return _from_row(row) if row is not None else None


def list_(connection: Connection, host: str, project_id: str | None = None) -> list[objects.Volume]:
    """The volumes of a host, of one project or of all, oldest first."""
    query = _SELECT.where(volumes.c.host == host).order_by(volumes.c.id)
    if project_id is not None:
        query = query.where(volumes.c.project_id == project_id)
    return [_from_row(row) for row in connection.execute(query)]


def insert(connection: Connection, volume: objects.Volume) -> None:
    connection.execute(sa.insert(volumes), {name: getattr(volume, name) for name in _FIELDS})


def update(connection: Connection, uuid: str, **values: Any) -> None:
    connection.execute(sa.update(volumes).where(volumes.c.uuid == uuid), {**values, "updated_at": now()})


def delete(connection: Connection, uuid: str) -> None:
    connection.execute(sa.delete(volumes).where(volumes.c.uuid == uuid))


def servers_of(connection: Connection) -> dict[str, str]:
    """Which server each attached volume belongs to."""
    table = block_device_mapping
    query = sa.select(table.c.volume_id, table.c.instance_uuid).where(table.c.volume_id.is_not(None))
    return dict(row._tuple() for row in connection.execute(query))


def release(connection: Connection, server_id: str) -> None:
    """A server goes: its volumes are free, or on their way out where they were to go with it. One that has not come to
    be goes in any case."""
    table = block_device_mapping
    held = sa.select(table.c.volume_id).where(table.c.instance_uuid == server_id, table.c.volume_id.is_not(None))
    leaving = held.where(table.c.delete_on_termination.is_(True))
    own = sa.update(volumes).where(volumes.c.uuid.in_(held))
    goes = sa.or_(volumes.c.uuid.in_(leaving), volumes.c.status == "creating")
    connection.execute(own.where(goes).values(status="deleting", updated_at=now()))
    connection.execute(own.where(volumes.c.status != "deleting").values(status="available", updated_at=now()))


def to_make(connection: Connection, host: str) -> list[objects.Volume]:
    """Those that are to come to be by themselves, not with a server."""
    of_server = sa.exists().where(block_device_mapping.c.volume_id == volumes.c.uuid)
    query = _SELECT.where(volumes.c.host == host, volumes.c.status == "creating", ~of_server).order_by(volumes.c.id)
    return [_from_row(row) for row in connection.execute(query)]


def attachments(connection: Connection, volume_ids: list[str]) -> dict[str, Any]:
    """By volume: the row (attachment_id, instance_uuid, device_name) of the server that has it."""
    table = block_device_mapping
    columns = (table.c.volume_id, table.c.attachment_id, table.c.instance_uuid, table.c.device_name)
    rows = connection.execute(sa.select(*columns).where(table.c.volume_id.in_(volume_ids)))
    return {row.volume_id: row for row in rows}
