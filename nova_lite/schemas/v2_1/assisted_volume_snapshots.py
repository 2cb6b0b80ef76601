"""Formats of assisted volume snapshots in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_text = {"type": "string", "minLength": 1}
_create_info: dict[str, types.Schema] = {
    "snapshot_id": _text,
    "type": {"type": "string", "enum": ["qcow2"]},
    "new_file": _text,
    "id": _text,
}
create_input_2_1 = wrapped(
    "snapshot",
    closed({"volume_id": _text, "create_info": closed(_create_info, optional=["id"])}),
)
create_output_2_1 = wrapped(
    "snapshot",
    closed({"id": types.string_or_null, "volumeId": types.string}, mapping={"volumeId": "volume_id"}),
)

_delete_query = {"delete_info": types.any_query}
delete_query_2_1 = types.lax_query(_delete_query)
delete_query_2_75 = types.strict_query(_delete_query)
