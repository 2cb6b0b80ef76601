"""Formats of addFixedIp and removeFixedIp in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_network_id = {"type": ["string", "number"], "minLength": 1, "maxLength": 36, "ext:type": "string"}

add_input_2_1 = wrapped("addFixedIp", closed({"networkId": _network_id}, mapping={"networkId": "network_id"}))
remove_input_2_1 = wrapped("removeFixedIp", closed({"address": pt.ip_address}))
