"""Formats of rescue and unrescue in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_RESCUE = {"admin_password": pt.admin_password, "image_ref": pt.uuid}

rescue_input_3_0 = wrapped("rescue", closed(_RESCUE, optional=_RESCUE) | {"type": ["object", "null"]})
rescue_output_3_0 = closed({"admin_password": pt.string}, optional=["admin_password"])
unrescue_input_3_0 = wrapped("unrescue", pt.null)
