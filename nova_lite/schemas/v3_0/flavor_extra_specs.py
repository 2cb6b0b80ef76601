"""Formats of the extra specs of a flavor in major 3: the key is in the path, the body holds its value."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_specs_input = {
    "type": "object",
    "patternProperties": {"^[a-zA-Z0-9-_:. ]{1,255}$": {"type": "string", "maxLength": 255}},
    "additionalProperties": False,
}
_specs = {"type": "object", "additionalProperties": types.string}

index_query_3_0 = types.no_query
show_query_3_0 = types.no_query

create_input_3_0 = wrapped("extra_specs", _specs_input | {"minProperties": 1})
update_input_3_0 = wrapped("extra_spec", closed({"value": {"type": "string", "maxLength": 255}}))

index_output_3_0 = wrapped("extra_specs", _specs)
create_output_3_0 = index_output_3_0
show_output_3_0 = wrapped("extra_spec", closed({"key": types.string, "value": types.string}))
update_output_3_0 = show_output_3_0
