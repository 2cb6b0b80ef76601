"""Formats of a server's metadata in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_all = wrapped("metadata", pt.metadata)
_one = closed({"meta": pt.metadata | {"minProperties": 1, "maxProperties": 1}}, mapping={"meta": "item"})

index_query_2_1 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_1 = _all

create_input_2_1 = _all
create_output_2_1 = _all

update_all_input_2_1 = _all
update_all_output_2_1 = _all

show_query_2_1 = pt.any_query_at_all
show_query_2_102 = pt.no_query
show_output_2_1 = _one

update_input_2_1 = _one
update_output_2_1 = _one
