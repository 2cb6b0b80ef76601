"""Formats of compute services in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

index_query_3_0 = types.strict_query({"host": types.any_query, "binary": types.any_query})

_status = {"type": "string", "enum": ["enabled", "disabled"]}
_update: dict[str, types.Schema] = {
    "status": _status,
    "disabled_reason": {"type": "string", "minLength": 1, "maxLength": 255},
    "forced_down": {"type": "boolean"},
}
update_input_3_0 = wrapped("service", closed(_update, optional=_update))

_service = closed(
    {
        "id": types.uuid,
        "binary": types.string,
        "host": types.string,
        "availability_zone": types.string,
        "status": _status,
        "state": {"type": "string", "enum": ["up", "down"]},
        "forced_down": {"type": "boolean"},
        "disabled_reason": types.string_or_null,
        "updated_at": types.timestamp_or_null,
    },
    mapping={"id": "uuid", "availability_zone": "zone"},
)
index_output_3_0 = listing("services", _service, next_links=False)
update_output_3_0 = wrapped("service", _service)
