"""Formats of extensions; major 2 only."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

index_query_2_1 = types.any_query_at_all
index_query_2_102 = types.no_query
show_query_2_1 = types.any_query_at_all
show_query_2_102 = types.no_query

_extension = closed(
    {
        "alias": types.string,
        "description": types.string,
        "links": types.links,
        "name": types.string,
        "namespace": types.string,
        "updated": types.string,
    }
)
index_output_2_1 = listing("extensions", _extension, next_links=False)
show_output_2_1 = wrapped("extension", _extension)
