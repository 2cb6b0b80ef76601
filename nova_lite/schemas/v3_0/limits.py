"""Formats of limits in major 3: the limit and what is used of it, side by side."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_project = types.single(types.string) | {"ext:policy": "os_compute_api:limits:other_project"}
index_query_3_0 = types.strict_query({"project_id": _project})

_limit = {"type": "integer", "minimum": -1}
_counted = ("instances", "cores", "ram", "server_groups")
_plain = ("key_pairs", "metadata_items", "server_group_members")


def _counted_limit(name: str) -> dict:
    return closed({"limit": _limit, "used": _limit}, mapping={"limit": name, "used": f"{name}_used"})


index_output_3_0 = wrapped(
    "limits",
    closed(
        {name: _counted_limit(name) for name in _counted}
        | {name: closed({"limit": _limit}, mapping={"limit": name}) for name in _plain}
    ),
)
