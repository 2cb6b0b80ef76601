"""Formats of the usage of projects in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, page

_time = types.single({"type": "string", "format": "date-time"})
_period = {"start": _time, "end": _time, "limit": types.single(types.non_negative_integer)} | {
    "marker": types.single(types.string)
}
index_query_3_0 = types.strict_query(_period | {"detailed": types.single(types.boolean)}, {"detailed": "with_servers"})
show_query_3_0 = types.strict_query(_period)

_integer = {"type": "integer", "minimum": 0}
_number = {"type": "number", "minimum": 0}
_server = closed(
    {
        "id": types.uuid,
        "name": types.string,
        "flavor": types.string,
        "vcpus": _integer,
        "memory_mb": _integer,
        "local_gb": _integer,
        "hours": _number,
        "started_at": types.timestamp,
        "ended_at": types.timestamp_or_null,
        "state": types.string,
        "uptime": _integer,
    },
    mapping={"id": "uuid", "started_at": "started_at_zoned", "ended_at": "ended_at_zoned"},
)
_usage = {
    "project_id": types.string,
    "start": types.timestamp,
    "end": types.timestamp,
    "hours": _number,
    "vcpu_hours": _number,
    "memory_mb_hours": _number,
    "local_gb_hours": _number,
    "servers": {"type": "array", "items": _server},
}
_names = {"start": "start_zoned", "end": "stop_zoned"}
index_output_3_0 = page("usages", closed(_usage, optional=["servers"], mapping=_names))
# Without hours and servers when it used nothing.
show_output_3_0 = closed(
    {"usage": closed(_usage, optional=_usage, mapping=_names), "links": types.links},
    optional=["links"],
    mapping={"./links": "usages_links"},
)
