"""Formats of resize, confirm_resize and revert_resize in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

resize_input_3_0 = wrapped(
    "resize",
    closed({"flavor_ref": pt.string | {"minLength": 1}, "disk_config": pt.disk_config}, optional=["disk_config"]),
)
confirm_input_3_0 = wrapped("confirm_resize", pt.null)
revert_input_3_0 = wrapped("revert_resize", pt.null)
