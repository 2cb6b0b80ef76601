"""Formats of host aggregates in major 3: named by their uuids."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

_zone = {"type": ["string", "null"], "format": "az_name", "minLength": 1, "maxLength": 255}

index_query_3_0 = types.no_query
show_query_3_0 = types.no_query

create_input_3_0 = wrapped(
    "aggregate", closed({"name": types.name, "availability_zone": _zone}, optional=["availability_zone"])
)
_update = {"name": types.name, "availability_zone": _zone}
update_input_3_0 = wrapped("aggregate", closed(_update, optional=_update) | {"minProperties": 1})

add_host_input_3_0 = wrapped("add_host", closed({"host": types.fqdn}))
remove_host_input_3_0 = wrapped("remove_host", closed({"host": types.fqdn}))
set_metadata_input_3_0 = wrapped("set_metadata", closed({"metadata": types.metadata_with_null}))
images_input_3_0 = closed({"images": {"type": "array", "minItems": 1, "items": closed({"id": types.uuid})}}) | {
    "ext:mapping": {"images": "cache"}
}

_aggregate = closed(
    {
        "id": types.uuid,
        "name": types.string,
        "availability_zone": types.string_or_null,
        "hosts": {"type": "array", "items": types.string},
        "metadata": {"type": "object", "additionalProperties": types.string},
        "created_at": types.timestamp,
        "updated_at": types.timestamp_or_null,
    },
    mapping={"id": "uuid", "created_at": "created_at_zoned", "updated_at": "updated_at_zoned"},
)
index_output_3_0 = listing("aggregates", _aggregate, next_links=False)
show_output_3_0 = wrapped("aggregate", _aggregate)
create_output_3_0 = update_output_3_0 = show_output_3_0
add_host_output_3_0 = remove_host_output_3_0 = set_metadata_output_3_0 = show_output_3_0
