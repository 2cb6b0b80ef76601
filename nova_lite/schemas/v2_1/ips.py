"""Formats of a server's addresses in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_by_network = {
    "type": "object",
    "additionalProperties": {
        "type": "array",
        "items": closed({"version": {"type": "integer", "enum": [4, 6]}, "addr": pt.ip_address}),
    },
}

index_query_2_1 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_1 = wrapped("addresses", _by_network)

show_query_2_1 = pt.any_query_at_all
show_query_2_102 = pt.no_query
# One network without any wrapper: {"private": [...]}.
show_output_2_1 = _by_network | {"minProperties": 1, "maxProperties": 1, "ext:mapping": {"*": "addresses"}}
