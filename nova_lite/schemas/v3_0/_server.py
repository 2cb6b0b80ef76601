"""What a server looks like in 3.x answers: fragments for ``servers``. Names are the flat names, with few exceptions."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema
from nova_lite.schemas.shapes import closed

_OPERATORS = {"ext:policy": "os_compute_api:os-extended-server-attributes"}

SECURITY_GROUPS: Schema = {"type": "array", "items": closed({"name": pt.string})}

_IMAGE = closed(
    {
        "id": pt.uuid,
        "links": pt.links,
        "properties": {"type": "object", "additionalProperties": pt.string_or_null},
    },
    mapping={"id": "image_id", "links": "image_links", "properties": "image_properties"},
)
_FLAVOR = closed(
    {
        "id": pt.string,
        "links": pt.links,
        "name": pt.string,
        "vcpus": {"type": "integer"},
        "ram": {"type": "integer"},
        "disk": {"type": "integer"},
        "ephemeral": {"type": "integer"},
        "swap": {"type": "integer"},
        "extra_specs": {
            "type": "object",
            "additionalProperties": pt.string,
            "ext:policy": "os_compute_api:servers:show:flavor-extra-specs",
        },
    },
    optional=["extra_specs"],
    mapping={
        "id": "flavor_id",
        "links": "flavor_links",
        "name": "flavor_name",
        "vcpus": "flavor_vcpus",
        "ram": "flavor_ram",
        "disk": "flavor_disk",
        "ephemeral": "flavor_ephemeral",
        "swap": "flavor_swap",
        "extra_specs": "flavor_extra_specs",
    },
)
_FAULT = closed(
    {"code": {"type": "integer"}, "message": pt.string, "details": pt.string, "created_at": pt.timestamp},
    optional=["details"],
    mapping={
        "code": "fault_code",
        "message": "fault_message",
        "details": "fault_details",
        "created_at": "fault_created_at",
    },
)

_PROPERTIES: dict[str, Schema] = {
    "id": pt.uuid,
    "name": pt.string,
    "description": pt.string_or_null,
    "links": pt.links,
    "status": pt.string,
    "vm_state": pt.string,
    "task_state": pt.string_or_null,
    "power_state": {
        "type": "string",
        "enum": ["no_state", "running", "paused", "shutdown", "crashed", "suspended"],
    },
    "progress": {"type": "integer"},
    "fault": _FAULT,
    "created_at": pt.timestamp,
    "updated_at": pt.timestamp,
    "launched_at": pt.timestamp_or_null,
    "terminated_at": pt.timestamp_or_null,
    "project_id": pt.string,
    "user_id": pt.string,
    "image": _IMAGE | {"type": ["object", "null"]},  # null where the server boots from a volume
    "flavor": _FLAVOR,
    "hostname": pt.string,
    "key_name": pt.string_or_null,
    "config_drive": {"type": "boolean"},
    "disk_config": pt.disk_config,
    "metadata": {"type": "object", "additionalProperties": pt.string},
    "tags": {"type": "array", "items": pt.string},
    "locked": {"type": "boolean"},
    "locked_reason": pt.string_or_null,
    "addresses": {"type": "object", "additionalProperties": {"type": "array"}},
    "access_ip_v4": pt.string_or_null,
    "access_ip_v6": pt.string_or_null,
    "availability_zone": pt.string,
    "pinned_availability_zone": pt.string_or_null,
    "scheduler_hints": {"type": "object"},
    "security_groups": SECURITY_GROUPS,
    "trusted_image_certificates": {"type": ["array", "null"], "items": pt.string},
    "volumes_attached": {
        "type": "array",
        "items": closed({"id": pt.string, "delete_on_termination": {"type": "boolean"}}),
    },
    "host_id": pt.string,
    "host_status": {"type": "string", "enum": ["UP", "DOWN", "MAINTENANCE", "UNKNOWN", ""]},
    "host": pt.string_or_null | _OPERATORS,
    "hypervisor_hostname": pt.string_or_null | _OPERATORS,
    "instance_name": pt.string | _OPERATORS,
    "kernel_id": pt.string_or_null | _OPERATORS,
    "launch_index": {"type": "integer"} | _OPERATORS,
    "ramdisk_id": pt.string_or_null | _OPERATORS,
    "reservation_id": pt.string_or_null | _OPERATORS,
    "root_device_name": pt.string_or_null | _OPERATORS,
    "user_data": pt.string_or_null | _OPERATORS,
}
_GROUPS = {"server_groups": {"type": "array", "items": pt.uuid}}


def _server(properties: dict[str, Schema]) -> Schema:
    guarded = [name for name, schema in properties.items() if "ext:policy" in schema]
    state_dependent = ["fault", "progress", "security_groups", "host_status"]
    mapping = {"addresses": "addresses_plain", "power_state": "power_state_name"}
    return closed(properties, optional=guarded + state_dependent, mapping=mapping)


SERVER = _server(_PROPERTIES | _GROUPS)
SERVER_IN_LIST = _server(_PROPERTIES)
