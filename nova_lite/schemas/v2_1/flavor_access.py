"""Formats of flavor access lists in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

_project = closed({"tenant": {"type": "string", "minLength": 1, "maxLength": 255}}, mapping={"tenant": "project_id"})
_access = closed(
    {"flavor_id": {"type": "string"}, "tenant_id": {"type": "string"}}, mapping={"tenant_id": "project_id"}
)

index_query_2_1 = types.any_query_at_all
index_query_2_102 = types.no_query
index_output_2_1 = listing("flavor_access", _access, next_links=False)

add_input_2_1 = wrapped("addTenantAccess", _project)
add_output_2_1 = index_output_2_1

remove_input_2_1 = wrapped("removeTenantAccess", _project)
remove_output_2_1 = index_output_2_1
