"""Formats of os-tenant-networks in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_network = closed({"id": pt.uuid, "cidr": pt.string, "label": pt.string})

index_query_2_1 = show_query_2_1 = pt.any_query_at_all
index_output_2_1 = closed({"networks": {"type": "array", "items": _network}})
show_output_2_1 = wrapped("network", _network)
