"""Formats of lock and unlock in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

lock_input_2_1 = wrapped("lock", pt.anything_ignored)
lock_input_2_73 = wrapped(
    "lock",
    closed({"locked_reason": {"type": "string", "minLength": 1, "maxLength": 255}}, optional=["locked_reason"])
    | {"type": ["object", "null"]},
)

unlock_input_2_1 = wrapped("unlock", pt.anything_ignored)
