"""Formats of administrators' actions in 3.x."""

from __future__ import annotations

from nova_lite.schemas.shapes import closed, wrapped

reset_state_input_3_0 = wrapped("reset_state", closed({"state": {"type": "string", "enum": ["active", "error"]}}))
