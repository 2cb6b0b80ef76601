"""Formats of console tokens in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

show_query_3_0 = pt.no_query
show_output_3_0 = wrapped(
    "console_auth_token",
    closed(
        {
            "server_id": pt.uuid,
            "type": {"type": "string", "enum": ["serial"]},
            "host": pt.string_or_null,
            "port": {"type": "integer"},
            "expires_at": pt.timestamp,
        },
        mapping={"server_id": "instance_uuid"},
    ),
)
