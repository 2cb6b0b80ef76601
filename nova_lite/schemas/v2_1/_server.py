"""What a server looks like in 2.x answers, version by version: fragments for ``servers``.

CORE is what every answer shows, REST what updates show from 2.75 only. A property is required unless a rule guards it
or it depends on the server's state.
"""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema

_OPERATORS = {"ext:policy": "os_compute_api:os-extended-server-attributes"}
_STATE_DEPENDENT = {"fault", "progress", "security_groups", "host_status"}

_FLAT_NAMES = {
    "accessIPv4": "access_ip_v4_text",
    "accessIPv6": "access_ip_v6_text",
    "config_drive": "config_drive_text",
    "created": "created_at",
    "hostId": "host_id",
    "os-extended-volumes:volumes_attached": "volumes_attached",
    "tenant_id": "project_id",
    "updated": "updated_at",
    "OS-DCF:diskConfig": "disk_config",
    "OS-EXT-AZ:availability_zone": "availability_zone",
    "OS-EXT-SRV-ATTR:host": "host",
    "OS-EXT-SRV-ATTR:hostname": "hostname",
    "OS-EXT-SRV-ATTR:hypervisor_hostname": "hypervisor_hostname",
    "OS-EXT-SRV-ATTR:instance_name": "instance_name",
    "OS-EXT-SRV-ATTR:kernel_id": "kernel_id",
    "OS-EXT-SRV-ATTR:launch_index": "launch_index",
    "OS-EXT-SRV-ATTR:ramdisk_id": "ramdisk_id",
    "OS-EXT-SRV-ATTR:reservation_id": "reservation_id",
    "OS-EXT-SRV-ATTR:root_device_name": "root_device_name",
    "OS-EXT-SRV-ATTR:user_data": "user_data",
    "OS-EXT-STS:power_state": "power_state",
    "OS-EXT-STS:task_state": "task_state",
    "OS-EXT-STS:vm_state": "vm_state",
    "OS-SRV-USG:launched_at": "launched_at_naive",
    "OS-SRV-USG:terminated_at": "terminated_at_naive",
}


def server(properties: dict[str, Schema]) -> Schema:
    """The schema of one server with these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": [
            name for name, schema in properties.items()
            if name not in _STATE_DEPENDENT and "ext:policy" not in schema
        ],
        "additionalProperties": False,
        "ext:mapping": {name: flat for name, flat in _FLAT_NAMES.items() if name in properties}
        | ({"image": "image_2_98"} if properties.get("image") is _IMAGE_2_98 else {})
        | ({"addresses": "addresses_bare"} if properties.get("addresses") is _ADDRESSES_BARE else {}),
    }


def changed(properties: dict[str, Schema]) -> dict[str, Schema]:
    """These properties as updates and rebuilds show them until 2.74: addresses without types and cards."""
    return properties | {"addresses": _ADDRESSES_BARE}


def one(properties: dict[str, Schema]) -> Schema:
    """The answer that shows a single server."""
    return {
        "type": "object",
        "properties": {"server": server(properties)},
        "required": ["server"],
        "additionalProperties": False,
    }


def many(properties: dict[str, Schema]) -> Schema:
    """A page of servers, with the link to the next page if there is one."""
    return {
        "type": "object",
        "properties": {"servers": {"type": "array", "items": server(properties)}, "servers_links": pt.links},
        "required": ["servers"],
        "additionalProperties": False,
    }


_ADDRESSES_BARE: Schema = {"type": "object", "additionalProperties": {"type": "array"}}

SECURITY_GROUPS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": pt.string},
        "required": ["name"],
        "additionalProperties": False,
    },
}
EXTRA_SPECS: Schema = {"type": "object", "additionalProperties": pt.string}

_STATUS: Schema = {
    "type": "string",
    "enum": [
        *("ACTIVE", "BUILD", "DELETED", "ERROR", "HARD_REBOOT", "MIGRATING", "PASSWORD", "PAUSED", "REBOOT", "REBUILD"),
        *("RESCUE", "RESIZE", "REVERT_RESIZE", "SHELVED", "SHELVED_OFFLOADED", "SHUTOFF", "SOFT_DELETED"),
        *("SUSPENDED", "UNKNOWN", "VERIFY_RESIZE"),
    ],
}
_FLAVOR_2_1: Schema = {
    "type": "object",
    "properties": {"id": pt.string, "links": pt.links},
    "required": ["id", "links"],
    "additionalProperties": False,
    "ext:mapping": {"id": "flavor_id", "links": "flavor_links"},
}
_FLAVOR_2_47: Schema = {
    "type": "object",
    "properties": {
        "disk": {"type": "integer"},
        "ephemeral": {"type": "integer"},
        "extra_specs": EXTRA_SPECS | {"ext:policy": "os_compute_api:servers:show:flavor-extra-specs"},
        "original_name": pt.string,
        "ram": {"type": "integer"},
        "swap": {"type": "integer"},
        "vcpus": {"type": "integer"},
    },
    "required": ["disk", "ephemeral", "original_name", "ram", "swap", "vcpus"],
    "additionalProperties": False,
    "ext:mapping": {
        "disk": "flavor_disk",
        "ephemeral": "flavor_ephemeral",
        "extra_specs": "flavor_extra_specs",
        "original_name": "flavor_name",
        "ram": "flavor_ram",
        "swap": "flavor_swap",
        "vcpus": "flavor_vcpus",
    },
}
_IMAGE_OBJECT: Schema = {
    "type": "object",
    "properties": {"id": pt.uuid, "links": pt.links},
    "required": ["id", "links"],
    "additionalProperties": False,
}
# An empty string where the server boots from a volume. A leaf, as it has two forms.
_IMAGE_2_1: Schema = {"oneOf": [_IMAGE_OBJECT, {"type": "string", "enum": [""]}]}
_IMAGE_2_98: Schema = {
    "oneOf": [
        _IMAGE_OBJECT
        | {
            "properties": _IMAGE_OBJECT["properties"]
            | {"properties": {"type": "object", "additionalProperties": pt.string_or_null}},
            "required": ["id", "links", "properties"],
        },
        {"type": "string", "enum": [""]},
    ]
}
_FAULT: Schema = {
    "type": "object",
    "properties": {
        "code": {"type": "integer"},
        "created": pt.timestamp,
        "details": pt.string,
        "message": pt.string,
    },
    "required": ["code", "created", "message"],
    "additionalProperties": False,
    "ext:mapping": {
        "code": "fault_code",
        "created": "fault_created_at",
        "details": "fault_details",
        "message": "fault_message",
    },
}
_VOLUMES_2_1: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": pt.string},
        "required": ["id"],
        "additionalProperties": False,
    },
}
_VOLUMES_2_3: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"id": pt.string, "delete_on_termination": {"type": "boolean"}},
        "required": ["id", "delete_on_termination"],
        "additionalProperties": False,
    },
}

CORE_2_1: dict[str, Schema] = {
    "accessIPv4": pt.string,
    "accessIPv6": pt.string,
    "addresses": {"type": "object", "additionalProperties": {"type": "array"}},
    "created": pt.timestamp,
    "fault": _FAULT,
    "flavor": _FLAVOR_2_1,
    "hostId": pt.string,
    "id": pt.uuid,
    "image": _IMAGE_2_1,
    "links": pt.links,
    "metadata": {"type": "object", "additionalProperties": pt.string},
    "name": pt.string,
    "progress": {"type": "integer"},
    "status": _STATUS,
    "tenant_id": pt.string,
    "updated": pt.timestamp,
    "user_id": pt.string,
    "OS-DCF:diskConfig": pt.disk_config,
}
CORE_2_9 = CORE_2_1 | {"locked": {"type": "boolean"}}
CORE_2_19 = CORE_2_9 | {"description": pt.string_or_null}
CORE_2_26 = CORE_2_19 | {"tags": {"type": "array", "items": pt.string, "maxItems": 50}}
CORE_2_47 = CORE_2_26 | {"flavor": _FLAVOR_2_47}
CORE_2_63 = CORE_2_47 | {"trusted_image_certificates": {"type": ["array", "null"], "items": pt.string}}
CORE_2_73 = CORE_2_63 | {"locked_reason": pt.string_or_null}
CORE_2_98 = CORE_2_73 | {"image": _IMAGE_2_98}

REST_2_1: dict[str, Schema] = {
    "config_drive": {"type": "string", "enum": ["", "True"]},
    "key_name": pt.string_or_null,
    "os-extended-volumes:volumes_attached": _VOLUMES_2_1,
    "security_groups": SECURITY_GROUPS,
    "OS-EXT-AZ:availability_zone": pt.string,
    "OS-EXT-SRV-ATTR:host": pt.string_or_null | _OPERATORS,
    "OS-EXT-SRV-ATTR:hypervisor_hostname": pt.string_or_null | _OPERATORS,
    "OS-EXT-SRV-ATTR:instance_name": pt.string | _OPERATORS,
    "OS-EXT-STS:power_state": {"type": "integer", "enum": [0, 1, 3, 4, 6, 7]},
    "OS-EXT-STS:task_state": pt.string_or_null,
    "OS-EXT-STS:vm_state": pt.string,
    "OS-SRV-USG:launched_at": pt.naive_timestamp_or_null,
    "OS-SRV-USG:terminated_at": pt.naive_timestamp_or_null,
}
REST_2_3 = REST_2_1 | {
    "os-extended-volumes:volumes_attached": _VOLUMES_2_3,
    "OS-EXT-SRV-ATTR:hostname": pt.string | _OPERATORS,
    "OS-EXT-SRV-ATTR:kernel_id": pt.string_or_null | _OPERATORS,
    "OS-EXT-SRV-ATTR:launch_index": {"type": "integer"} | _OPERATORS,
    "OS-EXT-SRV-ATTR:ramdisk_id": pt.string_or_null | _OPERATORS,
    "OS-EXT-SRV-ATTR:reservation_id": pt.string_or_null | _OPERATORS,
    "OS-EXT-SRV-ATTR:root_device_name": pt.string_or_null | _OPERATORS,
    "OS-EXT-SRV-ATTR:user_data": pt.string_or_null | _OPERATORS,
}
# host_status has two rules, the second for UNKNOWN only: the controller asks them and leaves it out.
REST_2_16 = REST_2_3 | {"host_status": {"type": "string", "enum": ["UP", "DOWN", "MAINTENANCE", "UNKNOWN", ""]}}
REST_2_90 = REST_2_16 | {"OS-EXT-SRV-ATTR:hostname": pt.string}
REST_2_96 = REST_2_90 | {"pinned_availability_zone": pt.string_or_null}
REST_2_100 = REST_2_96 | {"scheduler_hints": {"type": "object"}}

# From 2.71; never in listings.
GROUPS: dict[str, Schema] = {"server_groups": {"type": "array", "items": pt.uuid}}
