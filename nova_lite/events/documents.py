"""Changes and operations as clients of 3.x see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from nova_lite import objects
from nova_lite.api.controllers.server_status import status_of
from nova_lite.api.times import rfc3339
from nova_lite.db.changes import OPERATION, Change


def operation(row: objects.Operation, href: str) -> dict[str, Any]:
    """An operation; ``href`` is its own link."""
    return {
        "id": row.uuid,
        "action": row.action,
        "server_id": row.instance_uuid,
        "state": row.state,
        "message": row.message,
        "request_id": row.request_id,
        "created_at": rfc3339(row.start_time),
        "updated_at": rfc3339(row.updated_at),
        "links": [{"rel": "self", "href": href}],
    }


def change(row: Change) -> dict[str, Any]:
    """What the ``data`` of an event holds."""
    common = {"type": row.type, "at": rfc3339(row.at), "server_id": row.instance_uuid, "project_id": row.project_id}
    if row.type == OPERATION:
        about: dict[str, Any] = {
            "operation_id": row.operation_uuid,
            "action": row.action,
            "state": row.state,
            "message": row.message,
            "request_id": row.request_id,
        }
    else:
        assert row.vm_state is not None
        about = {
            "name": row.name,
            "status": status_of(row.vm_state, row.task_state),
            "vm_state": row.vm_state,
            "task_state": row.task_state,
            "power_state": row.power_state,
        }
    return common | about


def event(number: int, kind: str, data: Mapping[str, Any]) -> bytes:
    """One event of a text/event-stream (HTML, "Server-sent events"): JSON has no line ends that would break it."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (number, kind.encode(), orjson.dumps(data))


def position(number: int) -> bytes:
    """What makes a client remember ``number`` without an event."""
    return b"id: %d\n\n" % number


def lost(number: int) -> bytes:
    """Tells a client that changes which it missed are not to be had: it has to read what it wants to know anew."""
    return event(number, "lost", {"type": "lost", "message": "Earlier events are not kept any more."})


def head(status: str, headers: Mapping[str, str], length: int | None = None) -> bytes:
    """Status line and headers of an answer after which the connection is closed."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items()), "Connection: close"]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()
