"""Formats of flavor access lists in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

_project = closed({"project_id": {"type": "string", "minLength": 1, "maxLength": 255}})
_access = closed({"flavor_id": types.string, "project_id": types.string})

index_query_3_0 = types.no_query
index_output_3_0 = listing("access", _access, next_links=False) | {"ext:mapping": {"access": "flavor_access"}}

add_input_3_0 = wrapped("add_project_access", _project)
add_output_3_0 = index_output_3_0

remove_input_3_0 = wrapped("remove_project_access", _project)
remove_output_3_0 = index_output_3_0
