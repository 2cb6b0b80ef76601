"""Rows of ``block_device_mapping``: the disks of each server."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import block_device_mapping as table

_FIELDS = [column.name for column in table.columns if column.name != "id"]
_SELECT = sa.select(*(table.c[name] for name in _FIELDS))


def of_servers(connection: Connection, server_ids: Iterable[str]) -> dict[str, list[objects.BlockDevice]]:
    """The disks of each of these servers, in the guest's order; only servers that have any."""
    query = _SELECT.where(table.c.instance_uuid.in_(list(server_ids))).order_by(table.c.id)
    found: dict[str, list[objects.BlockDevice]] = {}
    for row in connection.execute(query):
        device = objects.BlockDevice(**dict(zip(_FIELDS, row, strict=True)))
        found.setdefault(device.instance_uuid, []).append(device)
    return found


def insert(connection: Connection, devices: Iterable[objects.BlockDevice]) -> None:
    """In the guest's order."""
    for device in devices:
        connection.execute(sa.insert(table), {name: getattr(device, name) for name in _FIELDS})


def release(connection: Connection, server_id: str) -> None:
    """Forget the disks of a server."""
    connection.execute(sa.delete(table).where(table.c.instance_uuid == server_id))
