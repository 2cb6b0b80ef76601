"""Formats of quota classes in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_set_limit = {"type": "integer", "minimum": -1, "maximum": types.MAX_INT}
_names = ("instances", "cores", "ram", "metadata_items", "key_pairs", "server_groups", "server_group_members")

show_query_3_0 = types.no_query
_settable = dict.fromkeys(_names, _set_limit)
update_input_3_0 = wrapped("quota_class", closed(_settable, optional=_settable))

_class = closed({"name": types.string} | dict.fromkeys(_names, _set_limit), mapping={"name": "id"})
show_output_3_0 = update_output_3_0 = wrapped("quota_class", _class)
