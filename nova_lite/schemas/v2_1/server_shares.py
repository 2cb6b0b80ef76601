"""Formats of a server's shares in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, listing, wrapped

_TAG: Schema = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9-]*$"}
_SHARE: dict[str, Schema] = {
    "export_location": pt.string,
    "share_id": pt.uuid,
    "status": {"type": "string", "enum": ["active", "inactive", "attaching", "detaching", "error"]},
    "tag": _TAG,
    "uuid": pt.uuid,
}
_share = closed(_SHARE, optional=["export_location", "uuid"])

index_query_2_97 = pt.no_query
index_output_2_97 = listing("shares", _share, next_links=False)
create_input_2_97 = wrapped("share", closed({"share_id": pt.uuid, "tag": _TAG}, optional=["tag"]))
create_output_2_97 = wrapped("share", _share)
show_query_2_97 = pt.no_query
show_output_2_97 = wrapped("share", _share)
