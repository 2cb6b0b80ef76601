"""Formats of force_delete and restore in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

force_delete_input_3_0 = wrapped("force_delete", pt.null)
restore_input_3_0 = wrapped("restore", pt.null)
