"""Which servers there were in a period, and for how long: rows of ``instances``, deleted ones among them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions
from nova_lite.db.tables import instances

_COLUMNS = (
    *(instances.c.uuid, instances.c.display_name, instances.c.project_id, instances.c.flavor),
    *(instances.c.launched_at, instances.c.terminated_at, instances.c.vm_state),
)


def launched_between(
    connection: Connection, start: datetime, stop: datetime, project_id: str | None, limit: int, marker: str | None
) -> list[Any]:
    """Rows of the servers that had been launched before ``stop`` and not been terminated before ``start``.

    By project, then by uuid. ``marker`` is the uuid of the last one of the previous page; Invalid when there is none.
    """
    query = (
        sa.select(*_COLUMNS)
        .where(instances.c.launched_at < stop)
        .where(instances.c.terminated_at.is_(None) | (instances.c.terminated_at > start))
        .order_by(instances.c.project_id, instances.c.uuid)
        .limit(limit)
    )
    if project_id is not None:
        query = query.where(instances.c.project_id == project_id)
    if marker is not None:
        place = sa.select(instances.c.project_id).where(instances.c.uuid == marker)
        after = connection.execute(place).scalar_one_or_none()
        if after is None or project_id not in (None, after):
            raise exceptions.Invalid(f"Marker {marker} could not be found.")
        query = query.where(
            (instances.c.project_id > after) | ((instances.c.project_id == after) & (instances.c.uuid > marker))
        )
    return list(connection.execute(query))
