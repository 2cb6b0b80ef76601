"""Formats of events from outside in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing

_event: dict[str, types.Schema] = {
    "name": {
        "type": "string",
        "enum": [
            *("network-changed", "network-vif-plugged", "network-vif-unplugged", "network-vif-deleted"),
            *("volume-extended", "volume-reimaged", "power-update", "accelerator-request-bound"),
        ],
    },
    "server_id": types.uuid,
    "tag": {"type": "string", "maxLength": 255},
}
_names = {"server_id": "server_uuid"}
_told = _event | {
    "status": {"type": "string", "enum": ["completed", "failed"]},
    "code": {"type": "integer", "enum": [200, 400, 404, 422]},
}

create_input_3_0 = closed(
    {"events": {"type": "array", "minItems": 1, "items": closed(_event, optional=["tag"], mapping=_names)}}
)
create_output_3_0 = listing("events", closed(_told, optional=["tag"], mapping=_names), next_links=False)
