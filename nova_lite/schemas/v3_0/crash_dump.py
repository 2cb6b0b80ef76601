"""Formats of trigger_crash_dump in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

trigger_crash_dump_input_3_0 = wrapped("trigger_crash_dump", pt.null)
