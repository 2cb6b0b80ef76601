"""Formats of snapshots of volumes in major 2: Nova's view of the volume service, gone at 2.36."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_snapshot = closed(
    {
        "id": types.uuid,
        "status": types.string,
        "size": {"type": "integer"},
        "createdAt": types.timestamp,
        "displayName": types.string_or_null,
        "displayDescription": types.string_or_null,
        "volumeId": types.uuid,
    },
    mapping={
        "createdAt": "created_at",
        "displayName": "name",
        "displayDescription": "description",
        "volumeId": "volume_id",
    },
)
_page = types.lax_query(
    {"limit": types.last(types.non_negative_integer), "offset": types.last(types.non_negative_integer)}
)

index_query_2_1 = _page
index_output_2_1 = closed({"snapshots": {"type": "array", "items": _snapshot}})
detail_query_2_1 = _page
detail_output_2_1 = index_output_2_1
show_query_2_1 = types.any_query_at_all
show_output_2_1 = wrapped("snapshot", _snapshot)
create_input_2_1 = wrapped(
    "snapshot",
    closed(
        {
            "volume_id": types.string,
            "force": types.boolean,
            "display_name": types.string,
            "display_description": types.string,
        },
        optional=["force", "display_name", "display_description"],
    ),
)
create_output_2_1 = show_output_2_1
delete_output_2_1 = None
