"""Formats of os-volume_attachments in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_DEVICE: Schema = {"type": ["string", "null"], "pattern": "(^/dev/x{0,1}[a-z]{0,1}d{0,1})([a-z]+)[0-9]*$"}
_TAG_OR_NULL: Schema = {"type": ["string", "null"]}
_NAMES = {"volumeId": "volume_id", "serverId": "server_id"}

index_query_2_1 = pt.lax_query(
    {"limit": pt.last(pt.non_negative_integer), "offset": pt.last(pt.non_negative_integer)}
)
index_query_2_75 = pt.strict_query(
    {"limit": pt.last(pt.non_negative_integer), "offset": pt.last(pt.non_negative_integer)}
)
show_query_2_1 = pt.any_query_at_all
show_query_2_102 = pt.no_query

_ATTACHMENT_2_1: dict[str, Schema] = {
    "id": pt.uuid,
    "device": _DEVICE,
    "serverId": pt.uuid,
    "volumeId": pt.uuid,
}
_ATTACHMENT_2_70 = _ATTACHMENT_2_1 | {"tag": _TAG_OR_NULL}
_ATTACHMENT_2_79 = _ATTACHMENT_2_70 | {"delete_on_termination": {"type": "boolean"}}
_ATTACHMENT_2_89 = {name: schema for name, schema in _ATTACHMENT_2_79.items() if name != "id"} | {
    "attachment_id": pt.uuid,
    "bdm_uuid": pt.uuid,
}


def _one(attachment: dict[str, Schema]) -> Schema:
    return wrapped("volumeAttachment", closed(attachment, mapping=_NAMES))


def _all(attachment: dict[str, Schema]) -> Schema:
    items = {"type": "array", "items": closed(attachment, mapping=_NAMES)}
    return closed({"volumeAttachments": items}, mapping={"volumeAttachments": "attachments"})


index_output_2_1, show_output_2_1 = _all(_ATTACHMENT_2_1), _one(_ATTACHMENT_2_1)
index_output_2_70, show_output_2_70 = _all(_ATTACHMENT_2_70), _one(_ATTACHMENT_2_70)
index_output_2_79, show_output_2_79 = _all(_ATTACHMENT_2_79), _one(_ATTACHMENT_2_79)
index_output_2_89, show_output_2_89 = _all(_ATTACHMENT_2_89), _one(_ATTACHMENT_2_89)

_CREATE_2_1: dict[str, Schema] = {"volumeId": pt.uuid, "device": _DEVICE}
_CREATE_2_49 = _CREATE_2_1 | {"tag": pt.tag}
_CREATE_2_79 = _CREATE_2_49 | {"delete_on_termination": pt.boolean}


def _create(properties: dict[str, Schema]) -> Schema:
    optional = [name for name in properties if name != "volumeId"]
    return wrapped("volumeAttachment", closed(properties, optional=optional, mapping=_NAMES))


create_input_2_1 = _create(_CREATE_2_1)
create_input_2_49 = _create(_CREATE_2_49)
create_input_2_79 = _create(_CREATE_2_79)
create_output_2_1 = show_output_2_1
create_output_2_70 = show_output_2_70
create_output_2_79 = show_output_2_79
create_output_2_101 = None

_NEW_NAMES = {"volumeId": "new_volume_id", "serverId": "server_id", "id": "same_volume_id"}
swap_input_2_1 = wrapped("volumeAttachment", closed({"volumeId": pt.uuid}, mapping=_NEW_NAMES))
update_input_2_85 = wrapped(
    "volumeAttachment",
    closed(
        {
            "volumeId": pt.uuid,
            "device": _DEVICE,
            "tag": pt.tag,
            "delete_on_termination": pt.boolean,
            "serverId": pt.uuid,
            "id": pt.uuid,
        },
        optional=["device", "tag", "delete_on_termination", "serverId", "id"],
        mapping=_NEW_NAMES,
    ),
)
