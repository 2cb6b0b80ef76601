"""Formats of a server's addresses in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_addresses = {
    "type": "array",
    "items": closed(
        {
            "version": {"type": "integer", "enum": [4, 6]},
            "addr": pt.ip_address,
            "type": pt.string,
            "mac_addr": pt.mac_address,
        }
    ),
}

index_query_3_0 = pt.no_query
index_output_3_0 = wrapped("addresses", {"type": "object", "additionalProperties": _addresses})

show_query_3_0 = pt.no_query
show_output_3_0 = closed({"network": pt.string, "addresses": _addresses}, mapping={"addresses": "of_network"})
