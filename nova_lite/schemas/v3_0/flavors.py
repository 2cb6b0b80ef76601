"""Formats of flavors in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, page, wrapped

_count = {"type": "integer", "minimum": 0, "maximum": types.MAX_INT}
_size = _count | {"minimum": 1}
_description = {"type": ["string", "null"]}
_description_input = _description | {"maxLength": 65535, "format": "printable"}

_create = {
    "name": types.name,
    "id": {
        "type": "string",
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^(?! )[a-zA-Z0-9. _-]+(?<! )$",
    },
    "description": _description_input,
    "vcpus": _size,
    "ram": _size,
    "disk": _count,
    "ephemeral": _count,
    "swap": _count,
    "is_public": {"type": "boolean"},
}
_create_optional = ["id", "description", "ephemeral", "swap", "is_public"]
create_input_3_0 = wrapped("flavor", closed(_create, optional=_create_optional))
update_input_3_0 = wrapped("flavor", closed({"description": _description_input}))

_list_query = types.pagination | {
    "is_public": types.last({"type": "string"}),
    "min_ram": types.last(types.non_negative_integer),
    "min_disk": types.last(types.non_negative_integer),
    "name": types.last(types.string),
    "sort_key": types.last(
        {
            "type": "string",
            "enum": ["description", "disk", "ephemeral", "id", "is_public", "name", "ram", "swap", "vcpus"],
        }
    ),
    "sort_dir": types.last({"type": "string", "enum": ["asc", "desc"]}),
}
index_query_3_0 = types.strict_query(_list_query, {"sort_key": "sort_by"})
detail_query_3_0 = index_query_3_0
show_query_3_0 = types.no_query

_brief = {"id": types.string, "name": types.string, "description": _description, "links": types.links}
_full = _brief | {
    "vcpus": {"type": "integer"},
    "ram": {"type": "integer"},
    "disk": {"type": "integer"},
    "ephemeral": {"type": "integer"},
    "swap": {"type": "integer"},
    "is_public": {"type": "boolean"},
    "extra_specs": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "ext:policy": "os_compute_api:os-flavor-extra-specs:index",
    },
}
_flavor = closed(_full, optional=["extra_specs"])

index_output_3_0 = page("flavors", closed(_brief))
detail_output_3_0 = page("flavors", _flavor)
show_output_3_0 = wrapped("flavor", _flavor)
create_output_3_0 = show_output_3_0
update_output_3_0 = show_output_3_0
