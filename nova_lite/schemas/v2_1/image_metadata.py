"""Formats of image properties in major 2, gone at 2.39."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import wrapped

_properties = {"type": "object", "additionalProperties": {}}

index_query_2_1 = types.any_query_at_all
show_query_2_1 = types.any_query_at_all

index_output_2_1 = wrapped("metadata", _properties)
show_output_2_1 = wrapped("meta", _properties)

create_input_2_1 = wrapped("metadata", types.metadata)
create_output_2_1 = index_output_2_1
update_all_input_2_1 = create_input_2_1
update_all_output_2_1 = index_output_2_1
update_input_2_1 = wrapped("meta", types.metadata | {"minProperties": 1, "maxProperties": 1})
update_output_2_1 = show_output_2_1
delete_output_2_1 = None
