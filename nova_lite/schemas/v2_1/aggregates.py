"""Formats of host aggregates in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, without, wrapped

_zone = {"type": ["string", "null"], "format": "az_name", "minLength": 1, "maxLength": 255}

create_input_2_1 = wrapped(
    "aggregate", closed({"name": types.name, "availability_zone": _zone}, optional=["availability_zone"])
)
_update = {"name": types.name_with_leading_trailing_spaces, "availability_zone": _zone}
update_input_2_1 = wrapped("aggregate", closed(_update, optional=_update) | {"minProperties": 1})

add_host_input_2_1 = wrapped("add_host", closed({"host": types.fqdn}))
remove_host_input_2_1 = wrapped("remove_host", closed({"host": types.fqdn}))
set_metadata_input_2_1 = wrapped("set_metadata", closed({"metadata": types.metadata_with_null}))

images_input_2_81 = closed({"cache": {"type": "array", "minItems": 1, "items": closed({"id": types.uuid})}})

# created_at and its like are without a zone, as Nova writes them. An aggregate that is deleted is not shown.
_aggregate_2_1: dict[str, types.Schema] = {
    "availability_zone": types.string_or_null,
    "created_at": types.naive_timestamp,
    "deleted": {"type": "boolean"},
    "deleted_at": types.naive_timestamp_or_null,
    "hosts": {"type": "array", "items": types.string},
    "id": {"type": "integer"},
    "metadata": {"type": "object", "additionalProperties": types.string},
    "name": types.string,
    "updated_at": types.naive_timestamp_or_null,
}
_aggregate_2_41 = _aggregate_2_1 | {"uuid": types.uuid}

index_output_2_1 = listing("aggregates", closed(_aggregate_2_1), next_links=False)
index_output_2_41 = listing("aggregates", closed(_aggregate_2_41), next_links=False)
# The answer to a creation tells neither hosts nor metadata.
create_output_2_1 = wrapped("aggregate", closed(without(_aggregate_2_1, "hosts", "metadata")))
create_output_2_41 = wrapped("aggregate", closed(without(_aggregate_2_41, "hosts", "metadata")))

show_output_2_1 = wrapped("aggregate", closed(_aggregate_2_1))
show_output_2_41 = wrapped("aggregate", closed(_aggregate_2_41))
update_output_2_1 = add_host_output_2_1 = remove_host_output_2_1 = set_metadata_output_2_1 = show_output_2_1
update_output_2_41 = add_host_output_2_41 = remove_host_output_2_41 = set_metadata_output_2_41 = show_output_2_41
