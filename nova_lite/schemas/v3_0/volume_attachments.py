"""Formats of volume attachments in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_BOOLEAN: Schema = {"type": "boolean"}
_ATTACHMENT: dict[str, Schema] = {
    "id": pt.uuid,
    "volume_id": pt.uuid,
    "server_id": pt.uuid,
    "device": pt.string,
    "tag": pt.string_or_null,
    "delete_on_termination": _BOOLEAN,
}
_NAMES = {"id": "attachment_id"}

index_query_3_0 = pt.strict_query(
    {"limit": pt.single(pt.non_negative_integer), "offset": pt.single(pt.non_negative_integer)}
)
show_query_3_0 = pt.no_query
index_output_3_0 = closed(
    {"volume_attachments": {"type": "array", "items": closed(_ATTACHMENT, mapping=_NAMES)}},
    mapping={"volume_attachments": "attachments"},
)
show_output_3_0 = wrapped("volume_attachment", closed(_ATTACHMENT, mapping=_NAMES))

create_input_3_0 = wrapped(
    "volume_attachment",
    closed(
        {"volume_id": pt.uuid, "tag": pt.tag, "delete_on_termination": _BOOLEAN},
        optional=["tag", "delete_on_termination"],
    ),
)
create_output_3_0 = show_output_3_0
update_input_3_0 = wrapped("volume_attachment", closed({"delete_on_termination": _BOOLEAN}))
