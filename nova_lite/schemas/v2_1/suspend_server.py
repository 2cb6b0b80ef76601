"""Formats of suspend and resume in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

suspend_input_2_1 = wrapped("suspend", pt.anything_ignored)
resume_input_2_1 = wrapped("resume", pt.anything_ignored)
