"""Formats of os-getConsoleOutput in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

get_console_output_input_2_1 = wrapped(
    "os-getConsoleOutput",
    closed(
        {
            # Lines from the end; -1 and null mean all there is.
            "length": {
                "type": ["integer", "string", "null"],
                "pattern": "^-?[0-9]+$",
                "minimum": -1,
                "ext:type": "integer",
            },
        },
        optional=["length"],
    ),
)

get_console_output_output_2_1 = closed({"output": pt.string})
