"""Formats of a server's tags in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

_tags = wrapped("tags", pt.tags)

index_query_3_0 = pt.no_query
index_output_3_0 = _tags

update_all_input_3_0 = _tags
update_all_output_3_0 = _tags

show_query_3_0 = pt.no_query
