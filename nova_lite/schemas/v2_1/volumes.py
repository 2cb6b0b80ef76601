"""Formats of volumes in major 2: Nova's view of the volume service, gone at 2.36."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_names = {
    "availabilityZone": "availability_zone",
    "createdAt": "created_at",
    "displayName": "name",
    "displayDescription": "description",
    "volumeType": "volume_type",
    "snapshotId": "snapshot_id",
}
# A volume that no server has shows one attachment with nothing in it.
_attachment = closed(
    {"id": types.uuid, "device": types.string, "serverId": types.uuid, "volumeId": types.uuid},
    optional=["id", "device", "serverId", "volumeId"],
    mapping={"serverId": "server_id", "volumeId": "volume_id"},
)
_volume = closed(
    {
        "id": types.uuid,
        "status": types.string,
        "size": {"type": "integer"},
        "availabilityZone": types.string_or_null,
        "createdAt": types.timestamp,
        "attachments": {"type": "array", "items": _attachment},
        "displayName": types.string_or_null,
        "displayDescription": types.string_or_null,
        "volumeType": types.string_or_null,
        "snapshotId": types.string_or_null,
        "metadata": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    mapping=_names,
)
_page = types.lax_query(
    {"limit": types.last(types.non_negative_integer), "offset": types.last(types.non_negative_integer)}
)

index_query_2_1 = _page
index_output_2_1 = closed({"volumes": {"type": "array", "items": _volume}})
detail_query_2_1 = _page
detail_output_2_1 = index_output_2_1
show_query_2_1 = types.any_query_at_all
show_output_2_1 = wrapped("volume", _volume)
create_input_2_1 = wrapped(
    "volume",
    closed(
        {
            "size": types.positive_integer | {"pattern": "^[0-9]+$"},
            "volume_type": types.string,
            "metadata": {"type": "object", "additionalProperties": True},
            "snapshot_id": types.string,
            "availability_zone": types.string,
            "display_name": types.string,
            "display_description": types.string,
        },
        optional=[
            *("volume_type", "metadata", "snapshot_id", "availability_zone", "display_name", "display_description")
        ],
    ),
)
create_output_2_1 = show_output_2_1
delete_output_2_1 = None
