"""Formats of servers in 3.x: plain snake_case names, hints inside the server, real booleans and numbers in bodies."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, wrapped
from nova_lite.schemas.v3_0._server import SECURITY_GROUPS, SERVER, SERVER_IN_LIST

# ---- GET /servers, GET /servers/detail -----------------------------------------------------------------

_GUARDED = {"ext:policy": "os_compute_api:servers:allow_all_filters", "ext:refusal": "ignore"}
_EXACT = pt.any_query | _GUARDED
_REGEX = pt.regex_query | _GUARDED
_TIME = pt.last(pt.timestamp | {"ext:type": "datetime"})

_SORT_KEYS = [
    *("access_ip_v4", "access_ip_v6", "availability_zone", "config_drive", "created_at", "description", "disk_config"),
    *("flavor", "host", "hostname", "image", "key_name", "launch_index", "launched_at", "locked", "name"),
    *("power_state", "progress", "project_id", "task_state", "terminated_at", "updated_at", "user_id", "vm_state"),
]

index_query_3_0 = pt.strict_query(
    pt.pagination
    | {
        "sort_key": pt.multi({"type": "string", "enum": _SORT_KEYS}),
        "sort_dir": pt.multi({"type": "string", "enum": ["asc", "desc"]}),
        "all_projects": pt.any_query,
        "changes_since": _TIME,
        "changes_before": _TIME,
        "flavor": pt.regex_query,
        "image": pt.any_query,
        "ip": pt.regex_query,
        "ip6": pt.regex_query,
        "name": pt.regex_query,
        "reservation_id": pt.regex_query,
        "status": pt.multi(pt.string),
        "tags": pt.regex_query,
        "tags_any": pt.regex_query,
        "not_tags": pt.regex_query,
        "not_tags_any": pt.regex_query,
        "locked": pt.any_query,
        "availability_zone": pt.regex_query,
        "config_drive": pt.regex_query,
        "created_at": pt.regex_query,
        "hostname": pt.regex_query,
        "key_name": pt.regex_query,
        "launched_at": pt.regex_query,
        "power_state": pt.regex_query,
        "progress": pt.regex_query,
        "task_state": pt.any_query,
        "terminated_at": pt.regex_query,
        "user_id": pt.any_query,
        "vm_state": pt.any_query,
        "deleted": _EXACT,
        "description": _REGEX,
        "host": _EXACT,
        "hypervisor_hostname": _REGEX,
        "project_id": _EXACT,
        "id": _EXACT,
    },
    {"all_projects": "all_tenants", "hypervisor_hostname": "node", "id": "uuid"},
)
detail_query_3_0 = index_query_3_0


def _page(server: Schema) -> Schema:
    return closed(
        {"servers": {"type": "array", "items": server}, "links": pt.links},
        optional=["links"],
        mapping={"links": "servers_links"},
    )


index_output_3_0 = _page(closed({"id": pt.uuid, "name": pt.string, "links": pt.links}))
detail_output_3_0 = _page(SERVER_IN_LIST)

# ---- GET /servers/{server_id} --------------------------------------------------------------------------

show_query_3_0 = pt.no_query
show_output_3_0 = wrapped("server", SERVER)

# ---- POST /servers -------------------------------------------------------------------------------------

_BOOLEAN: Schema = {"type": "boolean"}
_COUNT: Schema = {"type": "integer", "minimum": 1}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


_DEVICE = _object(
    {
        "source_type": {"type": "string", "enum": ["volume", "image", "snapshot", "blank"]},
        "destination_type": {"type": "string", "enum": ["local", "volume"]},
        "uuid": pt.uuid,
        "boot_index": {"type": ["integer", "null"]},
        "delete_on_termination": _BOOLEAN,
        "device_name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._/-]*$"},
        "device_type": {"type": "string", "maxLength": 255},
        "disk_bus": {"type": "string", "maxLength": 255},
        "guest_format": {"type": "string", "maxLength": 255},
        "tag": pt.tag,
        "volume_size": {"type": "integer", "minimum": 1, "maximum": pt.MAX_INT},
        "volume_type": {"type": ["string", "null"], "maxLength": 255},
    }
)
_NETWORK = _object({"uuid": pt.uuid, "port": pt.uuid, "fixed_ip": pt.ip_address, "tag": pt.tag})
_DESTINATION = pt.fqdn | {"ext:policy": "compute:servers:create:requested_destination"}

create_input_3_0 = wrapped(
    "server",
    _object(
        {
            "name": pt.name,
            "description": pt.description,
            "image_ref": pt.uuid,
            "flavor_ref": pt.string | {"minLength": 1},
            "networks": {
                "oneOf": [
                    {"type": "array", "items": _NETWORK},
                    {"type": "string", "enum": ["none", "auto"]},
                ],
            },
            "block_devices": {"type": "array", "items": _DEVICE}
            | {"ext:policy": "os_compute_api:servers:create:attach_volume"},
            "metadata": pt.metadata,
            "tags": pt.tags,
            "key_name": pt.name,
            "user_data": pt.user_data,
            "config_drive": _BOOLEAN,
            "hostname": pt.fqdn,
            "availability_zone": pt.name,
            "host": _DESTINATION,
            "hypervisor_hostname": _DESTINATION,
            "scheduler_hints": {"type": "object"},
            "access_ip_v4": pt.ipv4,
            "access_ip_v6": pt.ipv6,
            "disk_config": pt.disk_config,
            "admin_password": pt.admin_password,
            "security_groups": {"type": "array", "items": _object({"name": pt.name}) | {"required": ["name"]}},
            "trusted_image_certificates": pt.trusted_image_certificates
            | {"ext:policy": "os_compute_api:servers:create:trusted_certs"},
            "min_count": _COUNT,
            "max_count": _COUNT,
            "return_reservation_id": _BOOLEAN,
        }
    )
    | {
        "required": ["name", "flavor_ref", "networks"],
        "ext:mapping": {"block_devices": "block_device_mapping_v2"},
    },
)

create_output_3_0 = _object(
    {
        "server": closed(
            {
                "id": pt.uuid,
                "links": pt.links,
                "admin_password": pt.string,
                "disk_config": pt.disk_config,
                "security_groups": SECURITY_GROUPS,
            },
            optional=["admin_password"],
        ),
        "reservation_id": pt.string,
    }
)

# ---- PUT /servers/{server_id} --------------------------------------------------------------------------

update_input_3_0 = wrapped(
    "server",
    _object(
        {
            "name": pt.name,
            "description": pt.description,
            "hostname": pt.fqdn,
            "access_ip_v4": pt.ipv4,
            "access_ip_v6": pt.ipv6,
            "disk_config": pt.disk_config,
            "pinned_availability_zone": pt.name_or_none,
        }
    ),
)
update_output_3_0 = show_output_3_0

# ---- actions -------------------------------------------------------------------------------------------

start_input_3_0 = wrapped("start", pt.null)
stop_input_3_0 = wrapped("stop", pt.null)
reboot_input_3_0 = wrapped(
    "reboot",
    closed({"type": {"type": "string", "enum": ["soft", "hard"]}}, mapping={"type": "reboot_type"}),
)
