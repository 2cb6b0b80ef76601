"""The rows of ``changes``: what changed about servers and operations, numbered in the order of the commits.

Whoever writes a server or an operation notes it on its connection; ``Database.write`` turns the notes into rows as the
last thing before the commit. So a row says what the transaction left behind, not every step on the way, and the lock
that keeps numbers in order (PostgreSQL; on SQLite there is one writer anyway) is held by nobody who waits for another.
"""

from __future__ import annotations

import contextlib
import socket
import weakref
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite.db.tables import changes, instances, operations
from nova_lite.db.times import now

CREATED, CHANGED, DELETED = "server.created", "server.changed", "server.deleted"
OPERATION = "operation"
TYPES = (CREATED, CHANGED, DELETED, OPERATION)

#: Columns of a server whose change is told.
TOLD = frozenset({"display_name", "vm_state", "task_state", "power_state"})

_NOTES = "nova_lite_changes"
_KEYS: dict[str, Any] = {"at": sa.bindparam("now"), "type": sa.bindparam("kind")}
_OF_SERVER = _KEYS | {
    "project_id": instances.c.project_id,
    "instance_uuid": instances.c.uuid,
    "name": instances.c.display_name,
    "vm_state": instances.c.vm_state,
    "task_state": instances.c.task_state,
    "power_state": instances.c.power_state,
}
_OF_OPERATION = _KEYS | {
    "project_id": instances.c.project_id,
    "instance_uuid": instances.c.uuid,
    "operation_uuid": operations.c.uuid,
    "action": operations.c.action,
    "state": operations.c.state,
    "message": operations.c.message,
    "request_id": operations.c.request_id,
}


def _from(values: dict[str, Any], source: Any, key: Any) -> Any:
    columns = [value.label(name) for name, value in values.items()]
    return sa.insert(changes).from_select(list(values), sa.select(*columns).select_from(source).where(key))


_TELL_SERVER = _from(_OF_SERVER, instances, instances.c.uuid == sa.bindparam("key"))
_TELL_OPERATION = _from(
    _OF_OPERATION,
    operations.join(instances, operations.c.instance_uuid == instances.c.uuid),
    operations.c.id == sa.bindparam("key"),
)


@dataclass(frozen=True)
class Change:
    """One row. ``vm_state`` to ``power_state`` of servers, ``operation_uuid`` to ``request_id`` of operations."""

    id: int
    at: datetime
    type: str
    project_id: str
    instance_uuid: str
    name: str | None
    vm_state: str | None
    task_state: str | None
    power_state: int | None
    operation_uuid: str | None
    action: str | None
    state: str | None
    message: str | None
    request_id: str | None


# -- writing -----------------------------------------------------------------------------------------------------


def note_server(connection: Connection, uuid: str, kind: str) -> None:
    """A server was written in this transaction. That it was made, or ended, is told before that it changed."""
    notes = connection.info.setdefault(_NOTES, {})
    if kind == CHANGED:
        notes.setdefault((_TELL_SERVER, uuid), kind)
    else:
        notes[_TELL_SERVER, uuid] = kind


def note_operation(connection: Connection, operation_id: int) -> None:
    """An operation was written in this transaction."""
    connection.info.setdefault(_NOTES, {})[_TELL_OPERATION, operation_id] = OPERATION


def forget(connection: Connection) -> None:
    """Drop the notes of a transaction that was rolled back: the connection will be used again."""
    connection.info.pop(_NOTES, None)


def write(connection: Connection) -> bool:
    """Turn the notes into rows; whether there were any."""
    notes = connection.info.pop(_NOTES, None)
    if not notes:
        return False
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('changes', 0))"))
    at = now()
    for (statement, key), kind in notes.items():
        connection.execute(statement, {"key": key, "kind": kind, "now": at})
    return True


class Doorbell:
    """Tells the process that serves events that there are some; it looks by itself, too, only not as soon.

    One socket for as long as the bell is there. It has no peer and no state of its own, so threads and forked workers
    ring it side by side; each ring looks for who is at the path now.
    """

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self._sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        weakref.finalize(self, self._sender.close)

    def __call__(self) -> None:
        # It does not run, or was told so often already that its socket is full: it will look by itself.
        with contextlib.suppress(OSError):
            self._sender.sendto(b"!", self._path)


# -- reading -----------------------------------------------------------------------------------------------------

_SELECT = sa.select(*(changes.c[field] for field in Change.__dataclass_fields__)).order_by(changes.c.id)
_BOUNDS = sa.select(sa.func.min(changes.c.id), sa.func.max(changes.c.id))


def after(connection: Connection, last: int, limit: int) -> list[Change]:
    """The first ``limit`` changes after number ``last``, oldest first."""
    rows = connection.execute(_SELECT.where(changes.c.id > last).limit(limit))
    return [Change(*row) for row in rows]


def bounds(connection: Connection) -> tuple[int, int]:
    """The numbers of the oldest and the newest change; (0, 0) when there is none."""
    oldest, newest = connection.execute(_BOUNDS).one()
    return oldest or 0, newest or 0


def drop_until(connection: Connection, last: int) -> None:
    """Delete the changes up to number ``last``."""
    connection.execute(sa.delete(changes).where(changes.c.id <= last))
