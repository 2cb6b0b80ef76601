"""Formats of a server's actions in 3.x: 2.84's, with a zone in every time."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_TIME = pt.timestamp | {"ext:type": "datetime"}
_ALL_EVENT_FIELDS = {"ext:policy": "os_compute_api:os-instance-actions:events"}

_ACTION: dict[str, Schema] = {
    "action": pt.string,
    "server_id": pt.uuid,
    "message": pt.string_or_null,
    "project_id": pt.string_or_null,
    "request_id": pt.string,
    "start_time": pt.timestamp,
    "updated_at": pt.timestamp_or_null,
    "user_id": pt.string_or_null,
}
_EVENT = closed(
    {
        "event": pt.string,
        "start_time": pt.timestamp,
        "finish_time": pt.timestamp_or_null,
        "result": pt.string_or_null,
        "host_id": pt.string,
        "host": pt.string | _ALL_EVENT_FIELDS,
        "traceback": pt.string_or_null | _ALL_EVENT_FIELDS,
        "details": pt.string_or_null | {"ext:policy": "os_compute_api:os-instance-actions:events:details"},
    },
    optional=["host", "traceback", "details"],
)
_NAMES = {"server_id": "instance_uuid"}

index_query_3_0 = pt.strict_query(
    {
        "limit": pt.single(pt.non_negative_integer),
        "marker": pt.single(pt.string),
        "changes_since": pt.single(_TIME),
        "changes_before": pt.single(_TIME),
    }
)
index_output_3_0 = closed(
    {"actions": {"type": "array", "items": closed(_ACTION, mapping=_NAMES)}, "links": pt.links},
    optional=["links"],
    mapping={"links": "actions_links"},
)

show_query_3_0 = pt.no_query
show_output_3_0 = wrapped(
    "action", closed(_ACTION | {"events": {"type": "array", "items": _EVENT}}, mapping=_NAMES)
)
