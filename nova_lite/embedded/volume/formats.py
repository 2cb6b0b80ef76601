"""Formats of Volume v3; the facts are those of Cinder's API reference."""

from __future__ import annotations

from typing import Any

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_Schema = dict[str, Any]

_id_or_null = {"type": ["string", "null"], "maxLength": 255}
_name = {"type": ["string", "null"], "maxLength": 255}
_size = {"type": ["integer", "string", "null"], "pattern": "^[0-9]+$", "minimum": 1, "maximum": types.MAX_INT}
_size = _size | {"ext:type": "integer"}
_metadata = {"type": ["object", "null"], "additionalProperties": {"type": "string", "maxLength": 255}}
_metadata = _metadata | {"propertyNames": {"minLength": 1, "maxLength": 255}}
_all_metadata = _metadata | {"type": "object"}
_count = types.last(types.non_negative_integer)
_flag = types.last(types.boolean)
_text = types.last(types.string)


def _open(properties: dict[str, _Schema], required: tuple[str, ...] = ()) -> _Schema:
    """An object that clients may say more in than is read."""
    return {"type": "object", "properties": properties, "required": list(required)}


def _body(name: str, properties: dict[str, _Schema], required: tuple[str, ...] = ()) -> _Schema:
    return {"type": "object", "properties": {name: _open(properties, required)}, "required": [name]}


_listing_query = types.lax_query(
    {
        "limit": _count,
        "offset": _count,
        "marker": _text,
        "sort": _text,
        "sort_key": _text,
        "sort_dir": _text,
        "all_tenants": _flag,
        "with_count": _flag,
    }
)
_object = {"type": "object"}


def _listing(name: str) -> _Schema:
    return closed(
        {
            name: {"type": "array", "items": _object},
            f"{name}_links": {"type": "array", "items": _object},
            "count": {"type": "integer"},
        },
        optional=[f"{name}_links", "count"],
    )


_free = {"type": "object", "ext:mapping": {"*": "document"}}

# -- volumes -----------------------------------------------------------------------------------------------

_attached = closed(
    {
        "id": types.uuid,
        "attachment_id": types.string_or_null,
        "volume_id": types.uuid,
        "server_id": types.uuid,
        "host_name": types.string_or_null,
        "device": types.string_or_null,
        "attached_at": types.string_or_null,
    }
)
#: Left out for those whom the rules do not let see it.
_GUARDED = (
    *("os-vol-tenant-attr:tenant_id", "os-vol-host-attr:host"),
    *("os-vol-mig-status-attr:migstat", "os-vol-mig-status-attr:name_id"),
)
_volume = closed(
    {
        **dict.fromkeys(("id", "status", "availability_zone", "volume_type", "bootable"), types.string),
        **dict.fromkeys(("name", "description", "created_at", "updated_at", "user_id"), types.string_or_null),
        **dict.fromkeys(("snapshot_id", "source_volid", "replication_status"), types.string_or_null),
        **dict.fromkeys(("consistencygroup_id", "migration_status"), types.string_or_null),
        "size": {"type": "integer"},
        "encrypted": {"type": "boolean"},
        "multiattach": {"type": "boolean"},
        "metadata": _all_metadata,
        "volume_image_metadata": {"type": "object", "additionalProperties": types.string},
        "links": {"type": "array", "items": _object},
        "attachments": {"type": "array", "items": _attached},
        "os-vol-tenant-attr:tenant_id": types.string
        | {"ext:policy": "volume_extension:volume_tenant_attribute"},
        "os-vol-mig-status-attr:migstat": types.string_or_null
        | {"ext:policy": "volume_extension:volume_mig_status_attribute"},
        "os-vol-mig-status-attr:name_id": types.string_or_null
        | {"ext:policy": "volume_extension:volume_mig_status_attribute"},
        "os-vol-host-attr:host": types.string_or_null | {"ext:policy": "volume_extension:volume_host_attribute"},
    },
    optional=["volume_image_metadata", *_GUARDED],
)
_one_volume = wrapped("volume", _volume)
_changed_volume = wrapped(
    "volume",
    closed(
        {
            name: schema
            for name, schema in _volume["properties"].items()
            if not name.startswith("os-vol-") and name != "volume_image_metadata"
        }
    ),
)

list_query_3_0 = _listing_query
list_output_3_0 = _listing("volumes")
detail_query_3_0 = _listing_query
detail_output_3_0 = closed(
    {
        "volumes": {"type": "array", "items": _volume},
        "volumes_links": {"type": "array", "items": _object},
        "count": {"type": "integer"},
    },
    optional=["volumes_links", "count"],
)
summary_query_3_0 = types.lax_query({"all_tenants": _flag})
summary_output_3_0 = _free
create_input_3_0 = _body(
    "volume",
    {
        "size": _size,
        "name": _name,
        "display_name": _name,
        "description": _name,
        "display_description": _name,
        "metadata": _metadata,
        "imageRef": _id_or_null,
        "image_id": _id_or_null,
        "snapshot_id": _id_or_null,
        "source_volid": _id_or_null,
        "volume_type": _name,
        "availability_zone": _name,
        "multiattach": {"type": ["boolean", "string", "null"]},
    },
)
create_input_3_0["ext:mapping"] = {"imageRef": "image_ref"}
create_output_3_0 = _changed_volume
show_output_3_0 = _one_volume
update_input_3_0 = _body(
    "volume",
    {
        "name": _name,
        "display_name": _name,
        "description": _name,
        "display_description": _name,
        "metadata": _metadata,
    },
)
update_output_3_0 = _changed_volume
delete_query_3_0 = types.lax_query({"cascade": _flag, "force": _flag})
delete_output_3_0 = None

# -- metadata of volumes and snapshots ---------------------------------------------------------------------

_write_all = wrapped("metadata", _all_metadata)
_write_one = wrapped("meta", _all_metadata | {"minProperties": 1, "maxProperties": 1})
metadata_output_3_0 = _write_all
add_metadata_input_3_0 = replace_metadata_input_3_0 = _write_all
add_metadata_output_3_0 = replace_metadata_output_3_0 = _write_all
metadata_item_output_3_0 = _write_one
write_metadata_item_input_3_0 = _write_one
write_metadata_item_output_3_0 = _write_one
delete_metadata_item_output_3_0 = None

# -- actions -----------------------------------------------------------------------------------------------


def _action(name: str, properties: dict[str, _Schema], required: tuple[str, ...] = ()) -> _Schema:
    return _body(name, properties, required) | {"additionalProperties": False}


extend_input_3_0 = _action("os-extend", {"new_size": _size | {"type": ["integer", "string"]}}, ("new_size",))
extend_output_3_0 = None
set_bootable_input_3_0 = _action("os-set_bootable", {"bootable": types.boolean}, ("bootable",))
set_bootable_output_3_0 = None
read_only_input_3_0 = _action("os-update_readonly_flag", {"readonly": types.boolean}, ("readonly",))
read_only_output_3_0 = None
_status = {"type": ["string", "null"], "maxLength": 255}
reset_status_input_3_0 = _action("os-reset_status", {"status": _status, "attach_status": _status})
reset_status_output_3_0 = None
force_delete_input_3_0 = closed({"os-force_delete": types.anything_ignored})
force_delete_output_3_0 = None
_image_metadata = {"type": "object", "additionalProperties": {"type": "string", "maxLength": 255}}
set_image_metadata_input_3_0 = _action("os-set_image_metadata", {"metadata": _image_metadata}, ("metadata",))
set_image_metadata_output_3_0 = _free
show_image_metadata_input_3_0 = closed({"os-show_image_metadata": types.anything_ignored})
show_image_metadata_output_3_0 = _free
unset_image_metadata_input_3_0 = _action("os-unset_image_metadata", {"key": {"type": "string"}}, ("key",))
unset_image_metadata_output_3_0 = None

# -- snapshots ---------------------------------------------------------------------------------------------

_snapshot = closed(
    {
        **dict.fromkeys(("id", "volume_id", "status"), types.string),
        **dict.fromkeys(("name", "description", "created_at", "updated_at"), types.string_or_null),
        "size": {"type": "integer"},
        "metadata": _all_metadata,
        "os-extended-snapshot-attributes:progress": types.string
        | {"ext:policy": "volume_extension:extended_snapshot_attributes"},
        "os-extended-snapshot-attributes:project_id": types.string
        | {"ext:policy": "volume_extension:extended_snapshot_attributes"},
    }
)
_one_snapshot = wrapped("snapshot", _snapshot)
list_snapshots_query_3_0 = _listing_query
list_snapshots_output_3_0 = closed(
    {
        "snapshots": {"type": "array", "items": _snapshot},
        "snapshots_links": {"type": "array", "items": _object},
        "count": {"type": "integer"},
    },
    optional=["snapshots_links", "count"],
)
detail_snapshots_query_3_0 = _listing_query
detail_snapshots_output_3_0 = list_snapshots_output_3_0
create_snapshot_input_3_0 = _body(
    "snapshot",
    {
        "volume_id": types.string,
        "name": _name,
        "display_name": _name,
        "description": _name,
        "metadata": _metadata,
        "force": types.boolean | {"type": ["boolean", "string", "null"]},
    },
    ("volume_id",),
)
create_snapshot_input_3_0["properties"]["snapshot"]["properties"]["force"] = {"type": ["boolean", "string", "null"]}
create_snapshot_output_3_0 = _one_snapshot
show_snapshot_output_3_0 = _one_snapshot
update_snapshot_input_3_0 = _body("snapshot", {"name": _name, "display_name": _name, "description": _name})
update_snapshot_output_3_0 = _one_snapshot
delete_snapshot_output_3_0 = None
reset_snapshot_status_input_3_0 = _action("os-reset_status", {"status": types.string}, ("status",))
reset_snapshot_status_output_3_0 = None

# -- what else there is ------------------------------------------------------------------------------------

types_output_3_0 = type_output_3_0 = default_type_output_3_0 = type_specs_output_3_0 = _free
zones_output_3_0 = limits_output_3_0 = services_output_3_0 = extensions_output_3_0 = _free
quota_query_3_0 = types.lax_query({"usage": _flag})
quota_output_3_0 = default_quota_output_3_0 = _free
attachments_query_3_0 = detail_attachments_query_3_0 = types.any_query_at_all
attachments_output_3_0 = detail_attachments_output_3_0 = attachment_output_3_0 = _free
nothing_output_3_0 = _free

# As in Cinder, what is not known in a query is not read.
_without_query = [
    name.removesuffix("_output_3_0")
    for name in list(globals())
    if name.endswith("_output_3_0") and f"{name.removesuffix('_output_3_0')}_query_3_0" not in globals()
]
globals().update({f"{name}_query_3_0": types.any_query_at_all for name in _without_query})
