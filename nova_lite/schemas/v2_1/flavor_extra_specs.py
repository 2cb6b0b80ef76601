"""Formats of the extra specs of a flavor in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import wrapped

# Numbers are taken and kept as text.
_specs_input = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": ["string", "number"], "maxLength": 255}},
    "additionalProperties": False,
}
_specs = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
# One pair without any wrapper: {"hw:cpu_policy": "shared"}.
_one = {"minProperties": 1, "maxProperties": 1, "ext:mapping": {"*": "extra_specs"}}

index_query_2_1 = types.any_query_at_all
index_query_2_102 = types.no_query
show_query_2_1 = types.any_query_at_all
show_query_2_102 = types.no_query

create_input_2_1 = wrapped("extra_specs", _specs_input)
update_input_2_1 = _specs_input | _one

index_output_2_1 = wrapped("extra_specs", _specs)
create_output_2_1 = index_output_2_1
show_output_2_1 = _specs | _one
update_output_2_1 = _specs | _one
