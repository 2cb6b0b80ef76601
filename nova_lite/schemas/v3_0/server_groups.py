"""Formats of server groups in major 3: the rule is a plain key of the group."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

_policy = {"type": "string", "enum": ["affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity"]}
_most = {"type": "integer", "minimum": 1}

create_input_3_0 = wrapped(
    "server_group",
    closed({"name": types.name, "policy": _policy, "max_server_per_host": _most}, optional=["max_server_per_host"]),
)

index_query_3_0 = types.strict_query(
    {
        "all_projects": types.any_query,
        "limit": types.last(types.non_negative_integer),
        "offset": types.last(types.non_negative_integer),
    }
)
show_query_3_0 = types.no_query

_group = closed(
    {
        "id": types.uuid,
        "name": types.string,
        "policy": _policy,
        "max_server_per_host": {"type": "integer"},
        "members": {"type": "array", "items": types.uuid},
        "project_id": types.string,
        "user_id": types.string,
    },
    optional=["max_server_per_host"],
)
show_output_3_0 = wrapped("server_group", _group)
create_output_3_0 = show_output_3_0
index_output_3_0 = listing("server_groups", _group, next_links=False)
