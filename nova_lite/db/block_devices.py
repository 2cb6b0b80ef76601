"""Rows of ``block_device_mapping``: the disks of each server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.many import among
from nova_lite.db.tables import block_device_mapping as table

_FIELDS = [column.name for column in table.columns if column.name != "id"]
_SELECT = sa.select(*(table.c[name] for name in _FIELDS))


def volumes_of(connection: Connection, server_ids: Iterable[str]) -> dict[str, list[objects.BlockDevice]]:
    """The volumes of each of these servers, in the guest's order; only servers that have any."""
    wanted = among(table.c.instance_uuid, server_ids)
    return _by_server(connection, _SELECT.where(wanted, table.c.volume_id.is_not(None)))


def of_servers(connection: Connection, server_ids: Iterable[str]) -> dict[str, list[objects.BlockDevice]]:
    """The disks of each of these servers, in the guest's order; only servers that have any."""
    return _by_server(connection, _SELECT.where(among(table.c.instance_uuid, server_ids)))


def _by_server(connection: Connection, query: sa.Select[Any]) -> dict[str, list[objects.BlockDevice]]:
    found: dict[str, list[objects.BlockDevice]] = {}
    for row in connection.execute(query.order_by(table.c.id)):
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


def replace_all(connection: Connection, server_id: str, devices: Iterable[objects.BlockDevice]) -> None:
    """Give a server these disks, in the guest's order, instead of those that it has."""
    devices = list(devices)
    release(connection, server_id)
    insert(connection, devices)


def release(connection: Connection, server_id: str) -> None:
    """Forget the disks of a server."""
    connection.execute(sa.delete(table).where(table.c.instance_uuid == server_id))
