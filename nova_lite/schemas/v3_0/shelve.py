"""Formats of shelving in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_PLACE: dict[str, Schema] = {"availability_zone": pt.string_or_null, "host": pt.string}

shelve_input_3_0 = wrapped("shelve", pt.null)
shelve_offload_input_3_0 = wrapped("shelve_offload", pt.null)
unshelve_input_3_0 = wrapped("unshelve", closed(_PLACE, optional=_PLACE) | {"type": ["object", "null"]})
