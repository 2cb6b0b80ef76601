"""Format of operations, the work behind every 202 of 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

show_query_3_0 = pt.no_query
show_output_3_0 = wrapped(
    "operation",
    closed(
        {
            "id": pt.uuid,
            "action": pt.string,
            "server_id": pt.uuid,
            "state": {"type": "string", "enum": ["pending", "running", "done", "failed"]},
            "message": pt.string_or_null,
            "request_id": pt.string,
            "created_at": pt.timestamp,
            "updated_at": pt.timestamp_or_null,
            "links": pt.links,
        }
    ),
)

WAIT_AT_MOST = 3600  # seconds

wait_query_3_0 = pt.strict_query({"timeout": pt.single(pt.bounded_non_negative_integer | {"maximum": WAIT_AT_MOST})})
wait_output_3_0 = show_output_3_0
