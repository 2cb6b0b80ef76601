"""Formats of flavors in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, without, wrapped

_NAMES = {
    "OS-FLV-EXT-DATA:ephemeral": "ephemeral",
    "OS-FLV-DISABLED:disabled": "disabled",
    "os-flavor-access:is_public": "is_public",
}
# Until 2.74 no swap was written as an empty string.
_NAMES_UNTIL_2_74 = _NAMES | {"swap": "swap_or_blank"}

_description = {"type": ["string", "null"]}
_description_input = _description | {"maxLength": 65535, "format": "printable"}
_extra_specs = {
    "type": "object",
    "additionalProperties": {"type": "string"},
    "ext:policy": "os_compute_api:os-flavor-extra-specs:index",
}

_create_2_1 = {
    "name": types.name,
    "id": {
        "type": ["string", "number", "null"],
        "minLength": 1,
        "maxLength": 255,
        "pattern": "^(?! )[a-zA-Z0-9. _-]+(?<! )$",
        "ext:type": "string",
    },
    "ram": types.bounded_positive_integer,
    "vcpus": types.bounded_positive_integer,
    "disk": types.bounded_non_negative_integer,
    "OS-FLV-EXT-DATA:ephemeral": types.bounded_non_negative_integer,
    "swap": types.bounded_non_negative_integer,
    "rxtx_factor": {
        "type": ["number", "string"],
        "pattern": r"^(?=.*[1-9])[0-9]{1,38}(\.[0-9]{1,38})?$",
        "exclusiveMinimum": 0,
        "maximum": 3.40282e38,
        "ext:type": "number",
    },
    "os-flavor-access:is_public": types.boolean,
}
_create_2_55 = _create_2_1 | {"description": _description_input}
_create_2_102 = without(_create_2_55, "rxtx_factor")


def _create(properties: dict) -> dict:
    mandatory = ("name", "ram", "vcpus", "disk")
    optional = [name for name in properties if name not in mandatory]
    return wrapped("flavor", closed(properties, optional=optional, mapping=_NAMES))


create_input_2_1 = _create(_create_2_1)
create_input_2_55 = _create(_create_2_55)
create_input_2_102 = _create(_create_2_102)

update_input_2_55 = wrapped("flavor", closed({"description": _description_input}))

# Nova reads these with int(): a sign is allowed.
_integer = {"type": "string", "pattern": "^[-+]?[0-9]{1,18}$", "ext:type": "integer"}
_sort_keys_2_1 = [
    "created_at", "description", "disabled", "ephemeral_gb", "flavorid", "id", "is_public", "memory_mb",
    "name", "root_gb", "rxtx_factor", "swap", "updated_at", "vcpu_weight", "vcpus",
]  # fmt: skip
_index_query_2_1 = {
    "limit": types.last(types.non_negative_integer),
    "marker": types.last({"type": "string"}),
    "is_public": types.last({"type": "string"}),
    "minRam": types.last(_integer),
    "minDisk": types.last(_integer),
    "sort_key": types.last({"type": "string", "enum": _sort_keys_2_1}),
    "sort_dir": types.last({"type": "string", "enum": ["asc", "desc"]}),
}
_index_query_2_102 = _index_query_2_1 | {
    "name": types.last({"type": "string"}),
    "sort_key": types.last({"type": "string", "enum": [key for key in _sort_keys_2_1 if key != "rxtx_factor"]}),
}
_query_names = {"minRam": "min_ram", "minDisk": "min_disk"}

index_query_2_1 = types.lax_query(_index_query_2_1, _query_names)
index_query_2_75 = types.strict_query(_index_query_2_1, _query_names)
index_query_2_102 = types.strict_query(_index_query_2_102, _query_names)

detail_query_2_1 = index_query_2_1
detail_query_2_75 = index_query_2_75
detail_query_2_102 = index_query_2_102

show_query_2_1 = types.any_query_at_all
show_query_2_102 = types.no_query

_brief_2_1 = {"id": {"type": "string"}, "name": {"type": "string"}, "links": types.links}
_brief_2_55 = _brief_2_1 | {"description": _description}

_full_2_1 = _brief_2_1 | {
    "ram": {"type": "integer"},
    "disk": {"type": "integer"},
    "swap": {"anyOf": [{"type": "integer"}, {"const": ""}]},
    "vcpus": {"type": "integer"},
    "OS-FLV-EXT-DATA:ephemeral": {"type": "integer"},
    "OS-FLV-DISABLED:disabled": {"type": "boolean"},
    "os-flavor-access:is_public": {"type": "boolean"},
    "rxtx_factor": {"type": "number"},
}
_full_2_55 = _full_2_1 | {"description": _description}
_full_2_61 = _full_2_55 | {"extra_specs": _extra_specs}
_full_2_75 = _full_2_61 | {"swap": {"type": "integer"}}
_full_2_102 = without(_full_2_75, "rxtx_factor", "OS-FLV-DISABLED:disabled")

_flavor_2_1 = closed(_full_2_1, mapping=_NAMES_UNTIL_2_74)
_flavor_2_55 = closed(_full_2_55, mapping=_NAMES_UNTIL_2_74)
_flavor_2_61 = closed(_full_2_61, optional=["extra_specs"], mapping=_NAMES_UNTIL_2_74)
_flavor_2_75 = closed(_full_2_75, optional=["extra_specs"], mapping=_NAMES)
_flavor_2_102 = closed(_full_2_102, optional=["extra_specs"], mapping=_NAMES)

index_output_2_1 = listing("flavors", closed(_brief_2_1))
index_output_2_55 = listing("flavors", closed(_brief_2_55))

detail_output_2_1 = listing("flavors", _flavor_2_1)
detail_output_2_55 = listing("flavors", _flavor_2_55)
detail_output_2_61 = listing("flavors", _flavor_2_61)
detail_output_2_75 = listing("flavors", _flavor_2_75)
detail_output_2_102 = listing("flavors", _flavor_2_102)

show_output_2_1 = wrapped("flavor", _flavor_2_1)
show_output_2_55 = wrapped("flavor", _flavor_2_55)
show_output_2_61 = wrapped("flavor", _flavor_2_61)
show_output_2_75 = wrapped("flavor", _flavor_2_75)
show_output_2_102 = wrapped("flavor", _flavor_2_102)

create_output_2_1 = show_output_2_1
create_output_2_55 = show_output_2_55
create_output_2_61 = show_output_2_61
create_output_2_75 = show_output_2_75
create_output_2_102 = show_output_2_102

update_output_2_55 = show_output_2_55
update_output_2_61 = show_output_2_61
update_output_2_75 = show_output_2_75
update_output_2_102 = show_output_2_102
