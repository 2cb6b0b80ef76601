"""Formats of server groups in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, listing, wrapped

_HARD = ["affinity", "anti-affinity"]
_ALL = [*_HARD, "soft-affinity", "soft-anti-affinity"]


def _policies(names: list[str]) -> Schema:
    """A list of one policy: 2.64 made it a single value."""
    return {"type": "array", "items": {"type": "string", "enum": names}, "minItems": 1, "maxItems": 1}


_EMPTY: Schema = {"type": "object", "additionalProperties": False}


def _rules(number: Schema) -> Schema:
    return {"type": "object", "properties": {"max_server_per_host": number}, "additionalProperties": False}


_policy: Schema = {"type": "string", "enum": _ALL}

create_input_2_1 = wrapped("server_group", closed({"name": types.name, "policies": _policies(_HARD)}))
create_input_2_15 = wrapped("server_group", closed({"name": types.name, "policies": _policies(_ALL)}))
create_input_2_64 = wrapped(
    "server_group",
    closed({"name": types.name, "policy": _policy, "rules": _rules(types.positive_integer)}, optional=["rules"]),
)

_paging = {
    "all_projects": types.any_query,
    "limit": types.last(types.non_negative_integer),
    "offset": types.last(types.non_negative_integer),
}
index_query_2_1 = types.lax_query(_paging)
index_query_2_75 = types.strict_query(_paging)

show_query_2_1 = types.any_query_at_all
show_query_2_102 = types.no_query

_group_2_1: dict[str, Schema] = {
    "id": types.uuid,
    "name": types.string,
    "policies": _policies(_ALL),  # a later version may have made the group
    "members": {"type": "array", "items": types.uuid},
    "metadata": _EMPTY,  # nothing was ever in it; gone with 2.64
}
_owner = {"project_id": types.string, "user_id": types.string}
_group_2_13 = _group_2_1 | _owner
_group_2_64: dict[str, Schema] = {
    "id": types.uuid,
    "name": types.string,
    "policy": _policy,
    "rules": _rules({"type": "integer"}),
    "members": {"type": "array", "items": types.uuid},
    **_owner,
}

show_output_2_1 = wrapped("server_group", closed(_group_2_1))
show_output_2_13 = wrapped("server_group", closed(_group_2_13))
show_output_2_64 = wrapped("server_group", closed(_group_2_64))

create_output_2_1 = show_output_2_1
create_output_2_13 = show_output_2_13
create_output_2_64 = show_output_2_64

index_output_2_1 = listing("server_groups", closed(_group_2_1), next_links=False)
index_output_2_13 = listing("server_groups", closed(_group_2_13), next_links=False)
index_output_2_64 = listing("server_groups", closed(_group_2_64), next_links=False)
