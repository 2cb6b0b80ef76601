"""Formats of create_image and create_backup in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

create_image_input_3_0 = wrapped(
    "create_image", closed({"name": pt.name, "metadata": pt.metadata}, optional=["metadata"])
)
_BACKUP = {
    "name": pt.name,
    "backup_type": pt.string,
    "rotation": {"type": "integer", "minimum": 0},
    "metadata": pt.metadata,
}
create_backup_input_3_0 = wrapped("create_backup", closed(_BACKUP, optional=["metadata"]))
create_backup_output_3_0 = closed({"image_id": pt.uuid})
create_image_output_3_0 = closed({"image_id": pt.uuid})
