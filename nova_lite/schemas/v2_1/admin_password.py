"""Formats of changePassword in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

change_password_input_2_1 = wrapped(
    "changePassword", closed({"adminPass": pt.admin_password}, mapping={"adminPass": "admin_password"})
)
