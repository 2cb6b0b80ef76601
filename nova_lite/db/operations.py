"""The journal's rows: operations and their events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.db import changes, tables
from nova_lite.db.tables import operation_events, operations
from nova_lite.db.times import now

OUTSTANDING = ("pending", "running")

_FIELDS = [column.name for column in operations.columns]
_EVENT_FIELDS = ("name", "start_time", "finish_time", "result", "details", "traceback", "host")
_SELECT = sa.select(*operations.columns)
_EVENTS = sa.select(*(operation_events.c[name] for name in _EVENT_FIELDS)).order_by(operation_events.c.id)


def _from_row(row: Any) -> objects.Operation:
    return objects.Operation(**dict(zip(_FIELDS, row, strict=True)))


# -- the requests' side ------------------------------------------------------------------------------------------


def insert(connection: Connection, values: dict[str, Any]) -> int:
    """Write a row of the journal; its id. Starts now, tried by nobody yet."""
    at = now()
    row = {"start_time": at, "updated_at": at, "attempts": 0, **values}
    result = connection.execute(sa.insert(operations), row)
    operation_id = int(result.inserted_primary_key[0])  # type: ignore[index]
    changes.note_operation(connection, operation_id)
    return operation_id


def is_outstanding(connection: Connection, instance_uuid: str, action: str | None = None) -> bool:
    """Whether an operation of that kind (of any when None) was accepted for a server and has not ended."""
    query = sa.select(operations.c.id).where(
        operations.c.instance_uuid == instance_uuid, operations.c.state.in_(OUTSTANDING)
    )
    if action is not None:
        query = query.where(operations.c.action == action)
    return connection.execute(query.limit(1)).first() is not None


def supersede(connection: Connection, instance_uuid: str, message: str) -> None:
    """End everything outstanding of a server as failed. Work in progress notices at its next step."""
    ended = connection.execute(
        sa.update(operations)
        .where(operations.c.instance_uuid == instance_uuid, operations.c.state.in_(OUTSTANDING))
        .values(state="failed", message=message, updated_at=now())
        .returning(operations.c.id)
    )
    for operation_id in ended.scalars().all():
        changes.note_operation(connection, operation_id)


def outstanding_args(connection: Connection, host: str, action: str) -> list[dict[str, Any]]:
    """The arguments of what is still to be done of that kind."""
    query = sa.select(operations.c.args).where(
        operations.c.host == host, operations.c.action == action, operations.c.state.in_(OUTSTANDING)
    )
    return list(connection.execute(query).scalars())


def list_for_instance(
    connection: Connection,
    instance_uuid: str,
    limit: int | None = None,
    marker: str | None = None,
    changes_since: datetime | None = None,
    changes_before: datetime | None = None,
) -> list[objects.Operation]:
    """Newest first, without events. Invalid when ``marker`` is no request id of this server."""
    query = _SELECT.where(operations.c.instance_uuid == instance_uuid).order_by(operations.c.id.desc())
    if changes_since is not None:
        query = query.where(operations.c.updated_at >= changes_since)
    if changes_before is not None:
        query = query.where(operations.c.updated_at <= changes_before)
    if marker is not None:
        found = get_by_request(connection, instance_uuid, marker)
        if found is None:
            raise exceptions.Invalid(f"Marker {marker} could not be found.")
        query = query.where(operations.c.id < found.id)
    if limit is not None:
        query = query.limit(limit)
    return [_from_row(row) for row in connection.execute(query)]


def get_by_request(connection: Connection, instance_uuid: str, request_id: str) -> objects.Operation | None:
    """The newest operation of that request on that server, with its events."""
    query = _SELECT.where(operations.c.instance_uuid == instance_uuid, operations.c.request_id == request_id)
    row = connection.execute(query.order_by(operations.c.id.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    operation = _from_row(row)
    events = connection.execute(_EVENTS.where(operation_events.c.operation_id == operation.id))
    operation.events = [objects.Event(**dict(zip(_EVENT_FIELDS, event, strict=True))) for event in events]
    return operation


def get_by_uuid(connection: Connection, uuid: str) -> objects.Operation | None:
    """The operation of that uuid, without events."""
    row = connection.execute(_SELECT.where(operations.c.uuid == uuid)).one_or_none()
    return _from_row(row) if row is not None else None


def record_event(
    connection: Connection,
    operation_id: int,
    name: str,
    host: str | None,
    result: str,
    details: str | None = None,
) -> None:
    """Write a step that began and ended now."""
    at = now()
    values = {"operation_id": operation_id, "name": name, "host": host, "result": result, "details": details}
    connection.execute(sa.insert(operation_events), values | {"start_time": at, "finish_time": at})


# -- the agent's side --------------------------------------------------------------------------------------------

def next_of_each(connection: Connection, host: str, without: set[str], limit: int) -> list[objects.Operation]:
    """The oldest outstanding operation of up to ``limit`` servers of a host, but of none in ``without``; oldest first.

    There may be fewer than there could be, when the oldest operations are of few servers; never none.
    """
    query = _SELECT.where(operations.c.host == host, tables.OUTSTANDING).order_by(operations.c.id)
    if without:
        query = query.where(operations.c.instance_uuid.not_in(sorted(without)))
    first: dict[str, objects.Operation] = {}
    for row in connection.execute(query.limit(4 * limit)):
        operation = _from_row(row)
        first.setdefault(operation.instance_uuid, operation)
    return list(first.values())[:limit]


_CLAIM = (
    sa.update(operations)
    .where(operations.c.id == sa.bindparam("key"), operations.c.state.in_(OUTSTANDING))
    .values(state="running", attempts=operations.c.attempts + 1, updated_at=sa.bindparam("at"))
)


def claim(connection: Connection, operation_id: int) -> bool:
    """Mark it running, one more attempt; False when it ended meanwhile."""
    return _written(connection, connection.execute(_CLAIM, {"key": operation_id, "at": now()}), operation_id)


_FINISH = (
    sa.update(operations)
    .where(operations.c.id == sa.bindparam("key"), operations.c.state == "running")
    .values(state=sa.bindparam("end"), message=sa.bindparam("why"), updated_at=sa.bindparam("at"))
)


def finish(connection: Connection, operation_id: int, state: str, message: str | None) -> bool:
    """Mark a running one done or failed; False when it was superseded meanwhile."""
    values = {"key": operation_id, "end": state, "why": message, "at": now()}
    return _written(connection, connection.execute(_FINISH, values), operation_id)


def _written(connection: Connection, result: sa.CursorResult[Any], operation_id: int) -> bool:
    if result.rowcount != 1:
        return False
    changes.note_operation(connection, operation_id)
    return True


def release(connection: Connection, operation_id: int) -> None:
    """Give a running one back untouched, as if it had never been claimed (the agent is being stopped)."""
    connection.execute(
        sa.update(operations)
        .where(operations.c.id == operation_id, operations.c.state == "running")
        .values(state="pending", attempts=operations.c.attempts - 1, updated_at=now())
    )


_STATE = sa.select(operations.c.state).where(operations.c.id == sa.bindparam("key"))


def state_of(connection: Connection, operation_id: int) -> str | None:
    return connection.execute(_STATE, {"key": operation_id}).scalar_one_or_none()


def begin_event(connection: Connection, operation_id: int, name: str, host: str) -> int:
    """Write a step that begins now; its id. Steps of an earlier attempt that never ended are closed."""
    at = now()
    connection.execute(
        sa.update(operation_events)
        .where(operation_events.c.operation_id == operation_id, operation_events.c.finish_time.is_(None))
        .values(finish_time=at, result="Error", details="The agent ended during this step; it was run again.")
    )
    values = {"operation_id": operation_id, "name": name, "host": host, "start_time": at}
    return int(connection.execute(sa.insert(operation_events), values).inserted_primary_key[0])  # type: ignore[index]


_END_EVENT = (
    sa.update(operation_events)
    .where(operation_events.c.id == sa.bindparam("key"))
    .values(
        finish_time=sa.bindparam("at"),
        result=sa.bindparam("outcome"),
        details=sa.bindparam("why"),
        traceback=sa.bindparam("trace"),
    )
)


def end_event(
    connection: Connection, event_id: int, result: str, details: str | None = None, traceback: str | None = None
) -> None:
    values = {"key": event_id, "at": now(), "outcome": result, "why": details, "trace": traceback}
    connection.execute(_END_EVENT, values)
