"""Formats of Image v2. An image's own properties stand beside the fixed ones: a free form."""

from __future__ import annotations

from nova_lite.embedded.image.views import READ_ONLY, RESERVED, WRITABLE
from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed

_number = types.last(types.non_negative_integer)
_text = types.last(types.string)
_whole = {"type": "object", "ext:mapping": {"*": "document"}}

list_query_2_1 = types.lax_query(
    {
        "name": _text,
        "status": _text,
        "visibility": types.last({"type": "string", "enum": ["public", "private", "shared", "community", "all"]}),
        "member_status": types.last({"type": "string", "enum": ["pending", "accepted", "rejected", "all"]})
        | {"ext:ignored": True},
        "owner": _text,
        "disk_format": _text,
        "container_format": _text,
        "id": _text,
        "checksum": _text,
        "os_hash_value": _text,
        "created_at": _text,
        "updated_at": _text,
        "tag": types.multi(types.string),
        "protected": types.last(types.boolean),
        "os_hidden": types.last(types.boolean),
        "min_ram": _number,
        "min_disk": _number,
        "size_min": _number,
        "size_max": _number,
        "limit": _number,
        "marker": _text,
        "sort": _text,
        "sort_key": types.multi(types.string),
        "sort_dir": types.multi(types.string),
    }
)
list_output_2_1 = closed(
    {
        "images": {"type": "array", "items": {"type": "object"}},
        "first": types.string,
        "next": types.string,
        "schema": types.string,
    },
    optional=["next"],
)
# What only the service writes is refused with words of its own (403), whatever its type.
create_input_2_1 = _whole | {
    "patternProperties": {
        **{f"^{name}$": schema for name, schema in WRITABLE.items()},
        f"^({'|'.join(READ_ONLY + RESERVED)})$": {},
    },
    "propertyNames": {"minLength": 1, "maxLength": 255},
    "additionalProperties": {"type": "string", "maxLength": 65535},
}
create_output_2_1 = _whole
show_output_2_1 = _whole
update_output_2_1 = _whole
show_schema_output_2_1 = _whole
import_info_output_2_1 = _whole
members_output_2_1 = _whole
tasks_output_2_1 = _whole
image_tasks_output_2_1 = _whole
# Without a document of their own: what they take and give is data, a JSON patch, or nothing.
delete_output_2_1 = None
upload_output_2_1 = None
download_output_2_1 = None
add_tag_output_2_1 = None
remove_tag_output_2_1 = None
deactivate_output_2_1 = None
reactivate_output_2_1 = None
stores_info_output_2_1 = None
import_image_output_2_1 = None
