"""Formats of shelving in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped

_PLACE: dict[str, Schema] = {"availability_zone": pt.string_or_null, "host": pt.string}

shelve_input_2_1 = wrapped("shelve", pt.anything_ignored)
shelve_offload_input_2_1 = wrapped("shelveOffload", pt.anything_ignored)

unshelve_input_2_1 = wrapped("unshelve", pt.anything_ignored)
unshelve_input_2_77 = wrapped("unshelve", closed({"availability_zone": pt.name}) | {"type": ["object", "null"]})
unshelve_input_2_91 = wrapped("unshelve", closed(_PLACE, optional=_PLACE) | {"type": ["object", "null"]})
