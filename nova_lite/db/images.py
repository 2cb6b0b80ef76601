"""Rows of ``images``: what lies in the image store of a host."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.db.tables import block_device_mapping, images, instances, volume_snapshots, volumes

#: The status of an image that was removed while servers run it: nobody sees it, its files stay as long as they do.
DELETED = "deleted"

#: Of an image that is being made of a server, and of one that could not be.
SAVING, KILLED = "saving", "killed"

#: Of an image without data yet, and of one whose data nobody gets for now.
QUEUED, DEACTIVATED = "queued", "deactivated"

_FIELDS = [column.name for column in images.columns if column.name != "host"]
_SELECT = sa.select(*(images.c[name] for name in _FIELDS))


def _from_row(row: Any) -> objects.Image:
    return objects.Image(**dict(zip(_FIELDS, row, strict=True)))


def get(connection: Connection, image_id: str) -> objects.Image | None:
    """Also one that is DELETED."""
    row = connection.execute(_SELECT.where(images.c.id == image_id)).one_or_none()
    return _from_row(row) if row is not None else None


def list_(
    connection: Connection,
    conditions: list[sa.ColumnElement[bool]],
    limit: int | None = None,
    marker: str | None = None,
) -> list[objects.Image]:
    """Those that are not DELETED, oldest first. Invalid for an unknown marker (an id)."""
    query = _SELECT.where(images.c.status != DELETED, *conditions)
    if marker is not None:
        found = get(connection, marker)
        if found is None:
            raise exceptions.Invalid(f"marker [{marker}] not found")
        at, same = images.c.created_at, images.c.created_at == found.created_at
        query = query.where(sa.or_(at > found.created_at, sa.and_(same, images.c.id > marker)))
    rows = connection.execute(query.order_by(images.c.created_at, images.c.id).limit(limit))
    return [_from_row(row) for row in rows]


def of_host(connection: Connection, host: str) -> list[objects.Image]:
    return list_(connection, [images.c.host == host])


def insert(connection: Connection, image: objects.Image, host: str) -> None:
    connection.execute(sa.insert(images), {name: getattr(image, name) for name in _FIELDS} | {"host": host})


def update(connection: Connection, image_id: str, **values: Any) -> None:
    connection.execute(sa.update(images).where(images.c.id == image_id), values)


def mark_deleted(connection: Connection, image_id: str) -> bool:
    """False when there was none."""
    wanted = sa.update(images).where(images.c.id == image_id, images.c.status != DELETED)
    return connection.execute(wanted.values(status=DELETED)).rowcount == 1


def unused(connection: Connection, host: str) -> list[str]:
    """The images of a host that are DELETED and that no live server and no volume needs any more."""
    runs = sa.exists().where(instances.c.image_ref == images.c.id, instances.c.deleted.is_(False))
    lies_over = sa.exists().where(block_device_mapping.c.image_id == images.c.id)
    boots = sa.exists().where(volumes.c.image_id == images.c.id)
    will_boot = sa.exists().where(volume_snapshots.c.image_id == images.c.id)
    remembers = sa.exists().where(  # a rescued server its rescue image
        sa.cast(instances.c.system_metadata, sa.Text).contains(images.c.id), instances.c.deleted.is_(False)
    )
    needed = sa.or_(runs, lies_over, boots, will_boot, remembers)
    query = sa.select(images.c.id).where(images.c.host == host, images.c.status == DELETED, ~needed)
    return list(connection.execute(query).scalars())


def delete(connection: Connection, image_id: str) -> None:
    connection.execute(sa.delete(images).where(images.c.id == image_id))
