"""Formats of images in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, page, wrapped

_list_query = types.pagination | {
    "name": types.any_query,
    "status": types.last({"type": "string", "enum": ["active", "queued", "saving", "deleted", "killed"]}),
    "changes_since": types.last(types.timestamp),
    "min_ram": types.last(types.non_negative_integer),
    "min_disk": types.last(types.non_negative_integer),
}
index_query_3_0 = types.strict_query(_list_query)
detail_query_3_0 = index_query_3_0
show_query_3_0 = types.no_query

_brief = {"id": types.uuid, "name": types.string_or_null, "links": types.links}
_full = _brief | {
    "status": types.string,
    "visibility": {"type": "string", "enum": ["public", "private", "shared", "community"]},
    "size": {"type": "integer"},
    "min_ram": {"type": "integer"},
    "min_disk": {"type": "integer"},
    "kernel_format": types.string,
    "properties": {"type": "object", "additionalProperties": {"type": "string"}},
    "created_at": types.timestamp_or_null,
    "updated_at": types.timestamp_or_null,
}
_image = closed(_full, mapping={"status": "store_status"})

index_output_3_0 = page("images", closed(_brief))
detail_output_3_0 = page("images", _image)
show_output_3_0 = wrapped("image", _image)
delete_output_3_0 = None
