"""Formats of pause and unpause in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import wrapped

pause_input_2_1 = wrapped("pause", pt.anything_ignored)
unpause_input_2_1 = wrapped("unpause", pt.anything_ignored)
