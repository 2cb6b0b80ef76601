"""Formats of a server's tags in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

_tags = wrapped("tags", pt.tags)

index_query_2_26 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_26 = _tags

update_all_input_2_26 = _tags
update_all_output_2_26 = _tags

show_query_2_26 = pt.any_query_at_all
show_query_2_102 = pt.no_query
