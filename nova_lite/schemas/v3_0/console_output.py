"""Formats of get_console_output in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

get_console_output_input_3_0 = wrapped(
    "get_console_output",
    # Lines from the end; null means all there is.
    closed({"length": {"type": ["integer", "null"], "minimum": 0}}, optional=["length"])
    | {"type": ["object", "null"]},
)

get_console_output_output_3_0 = closed({"output": pt.string})
