"""Formats of pause and unpause in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

pause_input_3_0 = wrapped("pause", pt.null)
unpause_input_3_0 = wrapped("unpause", pt.null)
