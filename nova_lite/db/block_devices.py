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


def set_of_volume(
    connection: Connection, server_id: str, volume_id: str, delete_on_termination: bool | None
) -> bool:
    """Change the row of a server's volume; None changes nothing. False when the server does not have it."""
    own = sa.and_(table.c.instance_uuid == server_id, table.c.volume_id == volume_id)
    wished = table.c.delete_on_termination if delete_on_termination is None else delete_on_termination
    return connection.execute(sa.update(table).where(own).values(delete_on_termination=wished)).rowcount == 1


def set_image(connection: Connection, uuid: str, image_id: str) -> None:
    """Let a disk lie over another image."""
    connection.execute(sa.update(table).where(table.c.uuid == uuid).values(image_id=image_id))


def delete(connection: Connection, uuid: str) -> None:
    connection.execute(sa.delete(table).where(table.c.uuid == uuid))


def release(connection: Connection, server_id: str) -> None:
    """Forget the disks of a server."""
    connection.execute(sa.delete(table).where(table.c.instance_uuid == server_id))
