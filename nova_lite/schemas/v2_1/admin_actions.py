"""Formats of administrators' actions in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

reset_state_input_2_1 = wrapped("os-resetState", closed({"state": {"type": "string", "enum": ["active", "error"]}}))
inject_network_info_input_2_1 = wrapped("injectNetworkInfo", pt.anything_ignored)
