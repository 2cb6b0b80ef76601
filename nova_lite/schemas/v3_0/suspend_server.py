"""Formats of suspend and resume in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

suspend_input_3_0 = wrapped("suspend", pt.null)
resume_input_3_0 = wrapped("resume", pt.null)
