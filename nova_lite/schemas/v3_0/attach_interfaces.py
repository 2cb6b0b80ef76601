"""Formats of the network cards of a server in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_CARD = closed(
    {
        "port_id": pt.uuid,
        "network_id": pt.uuid,
        "mac_address": pt.mac_address,
        "port_state": pt.string,
        "fixed_ips": {"type": "array", "items": closed({"ip_address": pt.ip_address, "subnet_id": pt.uuid})},
        "tag": pt.string_or_null,
    }
)
_WANTED: dict[str, Schema] = {
    "network_id": pt.uuid,
    "port_id": pt.uuid,
    "fixed_ips": {"type": "array", "minItems": 1, "maxItems": 1, "items": closed({"ip_address": pt.ip_address})},
    "tag": pt.tag,
}

index_query_3_0 = pt.no_query
index_output_3_0 = closed({"interfaces": {"type": "array", "items": _CARD}})

show_query_3_0 = pt.no_query
show_output_3_0 = wrapped("interface", _CARD)

create_input_3_0 = wrapped("interface", closed(_WANTED, optional=_WANTED))
create_output_3_0 = show_output_3_0
