"""Formats of rescue and unrescue in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_MAPPING = {"adminPass": "admin_password", "rescue_image_ref": "image_ref"}
_RESCUE = {"adminPass": pt.admin_password, "rescue_image_ref": pt.uuid}

rescue_input_2_1 = wrapped(
    "rescue", closed(_RESCUE, optional=_RESCUE, mapping=_MAPPING) | {"type": ["object", "null"]}
)
# The password is there if the operator lets passwords be shown.
rescue_output_2_1 = closed({"adminPass": pt.string}, optional=["adminPass"], mapping=_MAPPING)
unrescue_input_2_1 = wrapped("unrescue", pt.anything_ignored)

# From 2.87 a server that boots from a volume can be rescued: the same request, another meaning.
