"""Formats of images in major 2: Nova's read-only view of the image service, gone at 2.36."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

# Nova checks only the numbers; property-<name> filters by any property.
_query = {
    "name": types.any_query,
    "status": types.any_query,
    "changes-since": types.any_query,
    "server": types.any_query,
    "type": types.any_query,
    "minRam": types.last(types.non_negative_integer),
    "minDisk": types.last(types.non_negative_integer),
    "limit": types.last(types.positive_integer),
    "page_size": types.last(types.positive_integer) | {"ext:ignored": True},
    "offset": types.last(types.positive_integer) | {"ext:ignored": True},
    "marker": types.any_query,
}
_query_names = {"changes-since": "changes_since", "minRam": "min_ram", "minDisk": "min_disk"}

index_query_2_1 = types.lax_query(_query, _query_names)
detail_query_2_1 = index_query_2_1
show_query_2_1 = types.any_query_at_all

_brief = {"id": types.uuid, "name": types.string_or_null, "links": types.links}
_server = closed({"id": types.uuid, "links": types.links}, mapping={"id": "server_id", "links": "server_links"})
_full = _brief | {
    "minRam": {"type": "integer", "minimum": 0},
    "minDisk": {"type": "integer", "minimum": 0},
    "metadata": {"type": "object", "additionalProperties": {}},
    "created": types.timestamp,
    "updated": types.timestamp_or_null,
    "status": {"type": "string", "enum": ["ACTIVE", "SAVING", "DELETED", "ERROR", "UNKNOWN"]},
    "progress": {"type": "integer", "enum": [0, 25, 50, 100]},
    "OS-EXT-IMG-SIZE:size": {"type": "integer"},
    "OS-DCF:diskConfig": types.disk_config,
    "server": _server,
}
_names = {
    "./links": "links_with_alternate",
    "minRam": "min_ram",
    "minDisk": "min_disk",
    "metadata": "properties",
    "created": "created_at",
    "updated": "updated_at",
    "OS-EXT-IMG-SIZE:size": "size",
    "OS-DCF:diskConfig": "disk_config",
}
_image = closed(_full, optional=["OS-DCF:diskConfig", "server"], mapping=_names)

index_output_2_1 = listing("images", closed(_brief, mapping=_names))
detail_output_2_1 = listing("images", _image)
show_output_2_1 = wrapped("image", _image)
delete_output_2_1 = None
