"""Formats of a server's metadata in 3.x; one item has the form of all."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_all = wrapped("metadata", pt.metadata)
_one = closed({"metadata": pt.metadata | {"minProperties": 1, "maxProperties": 1}}, mapping={"metadata": "item"})

index_query_3_0 = pt.no_query
index_output_3_0 = _all

create_input_3_0 = _all
create_output_3_0 = _all

update_all_input_3_0 = _all
update_all_output_3_0 = _all

show_query_3_0 = pt.no_query
show_output_3_0 = _one

update_input_3_0 = _one
update_output_3_0 = _one
