"""Formats of createImage in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

create_image_input_2_1 = wrapped(
    "createImage", closed({"name": pt.name, "metadata": pt.metadata}, optional=["metadata"])
)
create_image_output_2_45 = closed({"image_id": pt.uuid})
