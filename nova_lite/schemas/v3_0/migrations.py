"""Formats of migrations in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, page

_TIME: Schema = pt.single(pt.timestamp | {"ext:type": "datetime"})
_TEXT: Schema = pt.single(pt.string)

index_query_3_0 = pt.strict_query(
    {
        "limit": pt.single(pt.non_negative_integer),
        "marker": _TEXT,
        "server_id": _TEXT,
        "host": _TEXT,
        "status": _TEXT,
        "type": _TEXT,
        "user_id": _TEXT,
        "project_id": _TEXT,
        "changes_since": _TIME,
        "changes_before": _TIME,
    },
    {"server_id": "instance_uuid", "type": "migration_type"},
)
index_output_3_0 = page(
    "migrations",
    closed(
        {
            "id": pt.uuid,
            "type": pt.string,
            "status": pt.string,
            "server_id": pt.uuid,
            "source_host": pt.string_or_null,
            "destination_host": pt.string_or_null,
            "user_id": pt.string_or_null,
            "project_id": pt.string_or_null,
            "created_at": pt.timestamp,
            "updated_at": pt.timestamp,
        },
        mapping={
            "id": "uuid",
            "type": "migration_type",
            "server_id": "instance_uuid",
            "source_host": "source_compute",
            "destination_host": "dest_compute",
        },
    ),
)
