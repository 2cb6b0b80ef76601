"""Formats of Image v2, as far as it goes here. An image's own properties stand beside the fixed ones: a free form."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed

_number = types.last(types.non_negative_integer)
_text = types.last(types.string)

list_query_2_1 = types.lax_query(
    {
        "name": _text,
        "status": _text,
        "visibility": _text,
        "owner": _text,
        "disk_format": _text,
        "container_format": _text,
        "id": _text,
        "min_ram": _number,
        "min_disk": _number,
        "size_min": _number,
        "size_max": _number,
        "limit": _number,
        "marker": _text,
        "sort": _text,
        "sort_key": types.multi(types.string),
        "sort_dir": types.multi(types.string),
    }
)
list_output_2_1 = closed(
    {
        "images": {"type": "array", "items": {"type": "object"}},
        "first": types.string,
        "next": types.string,
        "schema": types.string,
    },
    optional=["next"],
)
show_output_2_1 = {"type": "object", "ext:mapping": {"*": "image"}}
show_schema_output_2_1 = {"type": "object", "ext:mapping": {"*": "schema"}}
list_schema_output_2_1 = show_schema_output_2_1
