"""Formats of createImage and createBackup in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

create_image_input_2_1 = wrapped(
    "createImage", closed({"name": pt.name, "metadata": pt.metadata}, optional=["metadata"])
)
_BACKUP = {
    "name": pt.name,
    "backup_type": pt.string,
    "rotation": pt.non_negative_integer,
    "metadata": pt.metadata,
}
create_backup_input_2_1 = wrapped("createBackup", closed(_BACKUP, optional=["metadata"]))
create_backup_output_2_45 = closed({"image_id": pt.uuid})
create_image_output_2_45 = closed({"image_id": pt.uuid})
