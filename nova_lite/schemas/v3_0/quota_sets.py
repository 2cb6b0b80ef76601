"""Formats of quota sets in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_set_limit = {"type": "integer", "minimum": -1, "maximum": types.MAX_INT}
_limit = {"type": "integer", "minimum": -1}
_names = ("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members")
_user = types.strict_query({"user_id": types.single(types.string)})

show_query_3_0 = detail_query_3_0 = update_query_3_0 = delete_query_3_0 = _user
defaults_query_3_0 = types.no_query

_settable = dict.fromkeys(_names, _set_limit) | {"force": {"type": "boolean"}}
update_input_3_0 = wrapped("quota_set", closed(_settable, optional=_settable))

_of_project = closed({"project_id": types.string} | dict.fromkeys(_names, _limit), mapping={"project_id": "id"})
show_output_3_0 = defaults_output_3_0 = update_output_3_0 = wrapped("quota_set", _of_project)


def _detail(name: str) -> dict:
    return closed({"limit": _limit, "used": _limit}, mapping={"limit": f"{name}_limit", "used": f"{name}_in_use"})


detail_output_3_0 = wrapped(
    "quota_set",
    closed({"project_id": types.string} | {name: _detail(name) for name in _names}, mapping={"project_id": "id"}),
)
