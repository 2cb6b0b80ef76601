"""Formats of remote consoles in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_asked = {
    "protocol": {"type": "string", "enum": ["serial"]},
    "type": {"type": "string", "enum": ["serial", "serial-html5"]},
}

create_input_3_0 = wrapped("remote_console", closed(_asked))
create_output_3_0 = wrapped("remote_console", closed(_asked | {"url": pt.uri, "expires_at": pt.timestamp}))
