"""Formats of os-instance-actions in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

# Nova writes these times without a zone; they are UTC.
_NAIVE_TIMES = {
    "start_time": "start_time_naive",
    "finish_time": "finish_time_naive",
    "updated_at": "updated_at_naive",
}
_TIME = pt.timestamp | {"ext:type": "datetime"}
_ALL_EVENT_FIELDS = {"ext:policy": "os_compute_api:os-instance-actions:events"}

_ACTION_2_1: dict[str, Schema] = {
    "action": pt.string,
    "instance_uuid": pt.uuid,
    "message": pt.string_or_null,
    "project_id": pt.string_or_null,
    "request_id": pt.string,
    "start_time": pt.naive_timestamp,
    "user_id": pt.string_or_null,
}
_ACTION_2_58 = _ACTION_2_1 | {"updated_at": pt.naive_timestamp_or_null}

_EVENT_2_1: dict[str, Schema] = {
    "event": pt.string,
    "start_time": pt.naive_timestamp,
    "finish_time": pt.naive_timestamp_or_null,
    "result": pt.string_or_null,
    "traceback": pt.string_or_null | _ALL_EVENT_FIELDS,
}
_EVENT_2_62 = _EVENT_2_1 | {"hostId": pt.string, "host": pt.string | _ALL_EVENT_FIELDS}
_EVENT_2_84 = _EVENT_2_62 | {
    "details": pt.string_or_null | {"ext:policy": "os_compute_api:os-instance-actions:events:details"},
}


def _events(event: dict[str, Schema]) -> Schema:
    guarded = [name for name, schema in event.items() if "ext:policy" in schema]
    return {"type": "array", "items": closed(event, optional=guarded, mapping=_NAIVE_TIMES | {"hostId": "host_id"})}


def _show(action: dict[str, Schema], events: Schema) -> Schema:
    optional = ["events"] if "ext:policy" in events else []
    return wrapped("instanceAction", closed(action | {"events": events}, optional=optional, mapping=_NAIVE_TIMES))


def _index(action: dict[str, Schema]) -> Schema:
    items = {"type": "array", "items": closed(action, mapping=_NAIVE_TIMES)}
    return closed({"instanceActions": items}, mapping={"instanceActions": "actions"})


index_query_2_1 = pt.any_query_at_all
index_query_2_58 = pt.strict_query(
    {
        "limit": pt.single(pt.non_negative_integer),
        "marker": pt.single(pt.string),
        "changes-since": pt.single(_TIME),
    },
    {"changes-since": "changes_since"},
)
index_query_2_66 = pt.strict_query(
    {
        "limit": pt.single(pt.non_negative_integer),
        "marker": pt.single(pt.string),
        "changes-since": pt.single(_TIME),
        "changes-before": pt.single(_TIME),
    },
    {"changes-since": "changes_since", "changes-before": "changes_before"},
)

index_output_2_1 = _index(_ACTION_2_1)
index_output_2_58 = closed(
    _index(_ACTION_2_58)["properties"] | {"links": pt.links},
    optional=["links"],
    mapping={"instanceActions": "actions", "links": "actions_links"},
)

show_query_2_1 = pt.any_query_at_all
show_query_2_102 = pt.no_query

# Until 2.50 only those who may see all of an event see events at all.
show_output_2_1 = _show(_ACTION_2_1, _events(_EVENT_2_1) | _ALL_EVENT_FIELDS)
show_output_2_51 = _show(_ACTION_2_1, _events(_EVENT_2_1))
show_output_2_58 = _show(_ACTION_2_58, _events(_EVENT_2_1))
show_output_2_62 = _show(_ACTION_2_58, _events(_EVENT_2_62))
show_output_2_84 = _show(_ACTION_2_58, _events(_EVENT_2_84))
