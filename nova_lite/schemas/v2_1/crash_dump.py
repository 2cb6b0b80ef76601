"""Formats of trigger_crash_dump in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

trigger_crash_dump_input_2_17 = wrapped("trigger_crash_dump", pt.null)
