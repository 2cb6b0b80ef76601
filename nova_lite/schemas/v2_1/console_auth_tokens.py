"""Formats of console tokens in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_console = {
    "instance_uuid": pt.uuid,
    "host": pt.string_or_null,
    "port": {"type": "integer"},
    "internal_access_path": pt.string_or_null,
}

show_query_2_1 = pt.any_query_at_all
show_query_2_99 = pt.no_query
show_output_2_1 = wrapped("console", closed(_console))
# tls_port is of SPICE consoles only, which there are none of.
show_output_2_99 = wrapped(
    "console", closed(_console | {"tls_port": {"type": ["integer", "null"]}}, optional=["tls_port"])
)
