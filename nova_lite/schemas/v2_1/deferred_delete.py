"""Formats of forceDelete and restore in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

force_delete_input_2_1 = wrapped("forceDelete", pt.anything_ignored)
restore_input_2_1 = wrapped("restore", pt.anything_ignored)
