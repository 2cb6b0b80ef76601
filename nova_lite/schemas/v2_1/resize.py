"""Formats of resize, confirmResize and revertResize in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

resize_input_2_1 = wrapped(
    "resize",
    closed(
        {"flavorRef": pt.flavor_ref, "OS-DCF:diskConfig": pt.disk_config},
        optional=["OS-DCF:diskConfig"],
        mapping={"flavorRef": "flavor_ref", "OS-DCF:diskConfig": "disk_config"},
    ),
)
confirm_input_2_1 = wrapped("confirmResize", pt.anything_ignored)
revert_input_2_1 = wrapped("revertResize", pt.anything_ignored)
