"""Formats of change_password in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

change_password_input_3_0 = wrapped("change_password", closed({"admin_password": pt.admin_password}))
