"""Formats of servers in 2.x: listings, show, create, update and the actions start, stop and reboot."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed, without, wrapped
from nova_lite.schemas.v2_1._server import (
    CORE_2_1,
    CORE_2_9,
    CORE_2_19,
    CORE_2_26,
    CORE_2_47,
    CORE_2_63,
    CORE_2_73,
    CORE_2_98,
    GROUPS,
    REST_2_1,
    REST_2_3,
    REST_2_16,
    REST_2_90,
    REST_2_96,
    REST_2_100,
    SECURITY_GROUPS,
    changed,
    many,
    one,
)
from nova_lite.schemas.v2_1._server_filters import (
    FILTERS_2_1,
    FILTERS_2_5,
    FILTERS_2_26,
    FILTERS_2_66,
    FILTERS_2_73,
    FILTERS_2_75,
    FILTERS_2_83,
    FILTERS_2_90,
)

# ---- GET /servers, GET /servers/detail: query ----------------------------------------------------------

_SINCE = {"changes-since": "changes_since"}
_TAGS = {"tags-any": "tags_any", "not-tags": "not_tags", "not-tags-any": "not_tags_any"}
_BEFORE = {"changes-before": "changes_before"}

index_query_2_1 = pt.lax_query(FILTERS_2_1, _SINCE)
index_query_2_5 = pt.lax_query(FILTERS_2_5, _SINCE)
index_query_2_26 = pt.lax_query(FILTERS_2_26, _SINCE | _TAGS)
index_query_2_66 = pt.lax_query(FILTERS_2_66, _SINCE | _TAGS | _BEFORE)
index_query_2_73 = pt.lax_query(FILTERS_2_73, _SINCE | _TAGS | _BEFORE)
index_query_2_75 = pt.strict_query(FILTERS_2_75, _SINCE | _TAGS | _BEFORE)
index_query_2_83 = pt.strict_query(FILTERS_2_83, _SINCE | _TAGS | _BEFORE)
index_query_2_90 = pt.strict_query(FILTERS_2_90, _SINCE | _TAGS | _BEFORE)

detail_query_2_1 = index_query_2_1
detail_query_2_5 = index_query_2_5
detail_query_2_26 = index_query_2_26
detail_query_2_66 = index_query_2_66
detail_query_2_73 = index_query_2_73
detail_query_2_75 = index_query_2_75
detail_query_2_83 = index_query_2_83
detail_query_2_90 = index_query_2_90

# ---- GET /servers, GET /servers/detail, GET /servers/{server_id}: answers ------------------------------

index_output_2_1 = many({"id": pt.uuid, "links": pt.links, "name": pt.string})

detail_output_2_1 = many(CORE_2_1 | REST_2_1)
detail_output_2_3 = many(CORE_2_1 | REST_2_3)
detail_output_2_9 = many(CORE_2_9 | REST_2_3)
detail_output_2_16 = many(CORE_2_9 | REST_2_16)
detail_output_2_19 = many(CORE_2_19 | REST_2_16)
detail_output_2_26 = many(CORE_2_26 | REST_2_16)
detail_output_2_47 = many(CORE_2_47 | REST_2_16)
detail_output_2_63 = many(CORE_2_63 | REST_2_16)
detail_output_2_73 = many(CORE_2_73 | REST_2_16)
detail_output_2_90 = many(CORE_2_73 | REST_2_90)
detail_output_2_96 = many(CORE_2_73 | REST_2_96)
detail_output_2_98 = many(CORE_2_98 | REST_2_96)
detail_output_2_100 = many(CORE_2_98 | REST_2_100)

show_query_2_1 = pt.any_query_at_all
show_query_2_102 = pt.no_query

show_output_2_1 = one(CORE_2_1 | REST_2_1)
show_output_2_3 = one(CORE_2_1 | REST_2_3)
show_output_2_9 = one(CORE_2_9 | REST_2_3)
show_output_2_16 = one(CORE_2_9 | REST_2_16)
show_output_2_19 = one(CORE_2_19 | REST_2_16)
show_output_2_26 = one(CORE_2_26 | REST_2_16)
show_output_2_47 = one(CORE_2_47 | REST_2_16)
show_output_2_63 = one(CORE_2_63 | REST_2_16)
show_output_2_71 = one(CORE_2_63 | REST_2_16 | GROUPS)
show_output_2_73 = one(CORE_2_73 | REST_2_16 | GROUPS)
show_output_2_90 = one(CORE_2_73 | REST_2_90 | GROUPS)
show_output_2_96 = one(CORE_2_73 | REST_2_96 | GROUPS)
show_output_2_98 = one(CORE_2_98 | REST_2_96 | GROUPS)
show_output_2_100 = one(CORE_2_98 | REST_2_100 | GROUPS)

# ---- POST /servers -------------------------------------------------------------------------------------

_UUIDS: Schema = {"type": "array", "items": pt.uuid}
# Hints go to the scheduler as they are; only the known ones are checked. A leaf: nothing inside has a flat name.
_HINTS: Schema = {
    "type": "object",
    "properties": {
        "group": {"oneOf": [pt.uuid, _UUIDS]},
        "different_host": {"oneOf": [pt.uuid, _UUIDS]},
        "same_host": {"type": ["string", "array"], "items": pt.uuid},
        "query": {"type": ["string", "object"]},
        "target_cell": pt.name,
        "different_cell": {"type": ["string", "array"], "items": pt.string},
        "build_near_host_ip": pt.ip_address,
        "cidr": {"type": "string", "pattern": "^/[0-9a-f.:]+$"},
    },
    "additionalProperties": {},
}


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


_LEGACY_DEVICE: dict[str, Schema] = {
    "virtual_name": {"type": "string", "maxLength": 255},
    "volume_id": pt.uuid,
    "snapshot_id": pt.uuid,
    "volume_size": pt.bounded_positive_integer,
    "device_name": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._/-]*$"},
    "delete_on_termination": pt.boolean,
    "no_device": {},
    "connection_info": {"type": "string", "maxLength": 16777215},
}
_DEVICE_2_1: dict[str, Schema] = _LEGACY_DEVICE | {
    "source_type": {"type": "string", "enum": ["volume", "image", "snapshot", "blank"]},
    "uuid": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[a-zA-Z0-9._-]*$"},
    "image_id": pt.uuid,
    "destination_type": {"type": "string", "enum": ["local", "volume"]},
    "guest_format": {"type": "string", "maxLength": 255},
    "device_type": {"type": "string", "maxLength": 255},
    "disk_bus": {"type": "string", "maxLength": 255},
    "boot_index": {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]+$", "ext:type": "integer"},
}
_DEVICE_TAGGED = _DEVICE_2_1 | {"tag": pt.tag}
_DEVICE_2_67 = _DEVICE_TAGGED | {"volume_type": {"type": ["string", "null"], "maxLength": 255}}

_NETWORK_2_1: dict[str, Schema] = {
    "fixed_ip": pt.ip_address,
    "port": {"type": ["string", "null"], "format": "uuid"},
    "uuid": pt.string,
}
_NETWORK_2_37 = _NETWORK_2_1 | {"uuid": pt.uuid}


def _devices(device: dict[str, Schema]) -> Schema:
    return {"type": "array", "items": _object(device)}


def _networks(network: dict[str, Schema]) -> Schema:
    return {"type": "array", "items": _object(network)}


def _networks_or_word(network: dict[str, Schema]) -> Schema:
    return {"oneOf": [_networks(network), {"type": "string", "enum": ["none", "auto"]}]}


def _create(server: dict[str, Schema], *also_required: str) -> Schema:
    return {
        "type": "object",
        "properties": {
            "server": _object(server) | {
                "required": ["name", "flavorRef", *also_required],
                "ext:mapping": {
                    "accessIPv4": "access_ip_v4",
                    "accessIPv6": "access_ip_v6",
                    "adminPass": "admin_password",
                    "flavorRef": "flavor_ref",
                    "imageRef": "image_ref",
                    "OS-DCF:diskConfig": "disk_config",
                },
            },
            "os:scheduler_hints": _HINTS,
            "OS-SCH-HNT:scheduler_hints": _HINTS,  # read only if the other is absent
        },
        "required": ["server"],
        "additionalProperties": False,
        "ext:mapping": {
            "os:scheduler_hints": "scheduler_hints",
            "OS-SCH-HNT:scheduler_hints": "scheduler_hints_alias",
        },
    }


_CREATE_2_1: dict[str, Schema] = {
    "name": pt.name,
    "imageRef": pt.image_ref,
    "flavorRef": pt.flavor_ref,
    "adminPass": pt.admin_password,
    "metadata": pt.metadata,
    "networks": _networks(_NETWORK_2_1),
    "OS-DCF:diskConfig": pt.disk_config,
    "accessIPv4": pt.ipv4,
    "accessIPv6": pt.ipv6,
    "personality": pt.personality,
    "availability_zone": pt.name,
    "block_device_mapping": _devices(_LEGACY_DEVICE)
    | {"ext:policy": "os_compute_api:servers:create:attach_volume"},
    "block_device_mapping_v2": _devices(_DEVICE_2_1)
    | {"ext:policy": "os_compute_api:servers:create:attach_volume"},
    "config_drive": pt.boolean,
    "key_name": pt.name,
    "min_count": pt.positive_integer,
    "max_count": pt.positive_integer,
    "return_reservation_id": pt.boolean,
    "security_groups": {"type": "array", "items": _object({"name": pt.name})},
    "user_data": pt.user_data,
}
_DEVICES_TAGGED = {
    "block_device_mapping_v2": _devices(_DEVICE_TAGGED)
    | {"ext:policy": "os_compute_api:servers:create:attach_volume"},
}
_CREATE_2_19 = _CREATE_2_1 | {"description": pt.description}
_CREATE_2_32 = _CREATE_2_19 | {"networks": _networks(_NETWORK_2_1 | {"tag": pt.tag})} | _DEVICES_TAGGED
# Nova lost the tag of block devices at 2.33 and that of networks at 2.37, and restored both at 2.42.
_CREATE_2_33 = _CREATE_2_32 | {"block_device_mapping_v2": _CREATE_2_1["block_device_mapping_v2"]}
_CREATE_2_37 = _CREATE_2_33 | {"networks": _networks_or_word(_NETWORK_2_37)}
_CREATE_2_42 = _CREATE_2_37 | {"networks": _networks_or_word(_NETWORK_2_37 | {"tag": pt.tag})} | _DEVICES_TAGGED
_CREATE_2_52 = _CREATE_2_42 | {"tags": pt.tags}
_CREATE_2_57 = without(_CREATE_2_52, "personality")
_CREATE_2_63 = _CREATE_2_57 | {
    "trusted_image_certificates": pt.trusted_image_certificates
    | {"ext:policy": "os_compute_api:servers:create:trusted_certs"},
}
_CREATE_2_67 = _CREATE_2_63 | {
    "block_device_mapping_v2": _devices(_DEVICE_2_67)
    | {"ext:policy": "os_compute_api:servers:create:attach_volume"},
}
_CREATE_2_74 = _CREATE_2_67 | {
    "host": pt.fqdn | {"ext:policy": "compute:servers:create:requested_destination"},
    "hypervisor_hostname": pt.fqdn | {"ext:policy": "compute:servers:create:requested_destination"},
}
_CREATE_2_90 = _CREATE_2_74 | {"hostname": pt.hostname}
_CREATE_2_94 = _CREATE_2_90 | {"hostname": pt.fqdn}

create_input_2_1 = _create(_CREATE_2_1)
create_input_2_19 = _create(_CREATE_2_19)
create_input_2_32 = _create(_CREATE_2_32)
create_input_2_33 = _create(_CREATE_2_33)
create_input_2_37 = _create(_CREATE_2_37, "networks")
create_input_2_42 = _create(_CREATE_2_42, "networks")
create_input_2_52 = _create(_CREATE_2_52, "networks")
create_input_2_57 = _create(_CREATE_2_57, "networks")
create_input_2_63 = _create(_CREATE_2_63, "networks")
create_input_2_67 = _create(_CREATE_2_67, "networks")
create_input_2_74 = _create(_CREATE_2_74, "networks")
create_input_2_90 = _create(_CREATE_2_90, "networks")
create_input_2_94 = _create(_CREATE_2_94, "networks")

# Either the server, or, if the caller asked for it, the reservation.
create_output_2_1 = _object(
    {
        "server": _object(
            {
                "adminPass": pt.string,  # if the operator lets passwords be shown
                "id": pt.uuid,
                "links": pt.links,
                "security_groups": SECURITY_GROUPS,
                "OS-DCF:diskConfig": pt.disk_config,
            }
        )
        | {
            "required": ["id", "links", "security_groups", "OS-DCF:diskConfig"],
            "ext:mapping": {"adminPass": "admin_password", "OS-DCF:diskConfig": "disk_config"},
        },
        "reservation_id": pt.string,
    }
)

# ---- PUT /servers/{server_id} --------------------------------------------------------------------------


def _update(server: dict[str, Schema]) -> Schema:
    return _object(
        {
            "server": _object(server) | {
                "ext:mapping": {
                    "accessIPv4": "access_ip_v4",
                    "accessIPv6": "access_ip_v6",
                    "OS-DCF:diskConfig": "disk_config",
                },
            },
        }
    ) | {"required": ["server"]}


_UPDATE_2_1: dict[str, Schema] = {
    "name": pt.name,
    "OS-DCF:diskConfig": pt.disk_config,
    "accessIPv4": pt.ipv4,
    "accessIPv6": pt.ipv6,
}
_UPDATE_2_19 = _UPDATE_2_1 | {"description": pt.description}
_UPDATE_2_90 = _UPDATE_2_19 | {"hostname": pt.hostname}
_UPDATE_2_94 = _UPDATE_2_90 | {"hostname": pt.fqdn}
_UPDATE_2_104 = _UPDATE_2_94 | {"pinned_availability_zone": pt.name_or_none}

update_input_2_1 = _update(_UPDATE_2_1)
update_input_2_19 = _update(_UPDATE_2_19)
update_input_2_90 = _update(_UPDATE_2_90)
update_input_2_94 = _update(_UPDATE_2_94)
update_input_2_104 = _update(_UPDATE_2_104)

update_output_2_1 = one(changed(CORE_2_1))
update_output_2_9 = one(changed(CORE_2_9))
update_output_2_19 = one(changed(CORE_2_19))
update_output_2_26 = one(changed(CORE_2_26))
update_output_2_47 = one(changed(CORE_2_47))
update_output_2_63 = one(changed(CORE_2_63))
update_output_2_71 = one(changed(CORE_2_63 | GROUPS))
update_output_2_73 = one(changed(CORE_2_73 | GROUPS))
update_output_2_75 = show_output_2_73
update_output_2_90 = show_output_2_90
update_output_2_96 = show_output_2_96
update_output_2_98 = show_output_2_98
update_output_2_100 = show_output_2_100

# ---- actions -------------------------------------------------------------------------------------------

start_input_2_1 = wrapped("os-start", pt.anything_ignored)
stop_input_2_1 = wrapped("os-stop", pt.anything_ignored)
reboot_input_2_1 = wrapped(
    "reboot",
    closed(
        {"type": {"type": "string", "enum": ["HARD", "Hard", "hard", "SOFT", "Soft", "soft"]}},
        mapping={"type": "reboot_type"},
    ),
)
