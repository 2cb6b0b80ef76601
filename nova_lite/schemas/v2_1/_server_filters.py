"""The filters and sort keys of server listings in 2.x, version by version: fragments for ``servers``."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.parameter_types import Schema

# Filters that only some may use; for the others they are not there (Nova never refuses them).
_GUARDED = {"ext:policy": "os_compute_api:servers:allow_all_filters", "ext:refusal": "ignore"}
_EXACT = pt.any_query | _GUARDED
_REGEX = pt.regex_query | _GUARDED
_TIME = pt.last(pt.timestamp | {"ext:type": "datetime"})

# Keys that Nova once took for sorting, and has ignored since it checks them.
_IGNORED_SORT_KEYS = [
    *("architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted"),
    *("deleted_at", "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on"),
    *("locked", "memory_mb", "os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus"),
    "vm_mode",
]
_SORT_KEYS = [
    *("access_ip_v4", "access_ip_v6", "auto_disk_config", "availability_zone", "config_drive", "created_at"),
    *("display_description", "display_name", "host", "hostname", "image_ref", "instance_type_id", "kernel_id"),
    *("key_name", "launch_index", "launched_at", "locked_by", "node", "power_state", "progress", "project_id"),
    *("ramdisk_id", "root_device_name", "task_state", "terminated_at", "updated_at", "user_id", "uuid", "vm_state"),
]


def _sort_key(*names: str) -> Schema:
    return pt.multi({"type": "string", "enum": list(names)})


FILTERS_2_1: dict[str, Schema] = pt.pagination | {
    "sort_key": _sort_key(*_SORT_KEYS, *_IGNORED_SORT_KEYS),
    "sort_dir": pt.multi(pt.string),
    "all_tenants": pt.any_query,
    "changes-since": _TIME,
    "flavor": pt.regex_query,
    "image": pt.any_query,
    "ip": pt.regex_query,
    "name": pt.regex_query,
    "reservation_id": pt.regex_query,
    "status": pt.multi(pt.string),
    "access_ip_v4": _REGEX,
    "access_ip_v6": _REGEX,
    "auto_disk_config": _REGEX,
    "availability_zone": _REGEX,
    "config_drive": _REGEX,
    "created_at": _REGEX,
    "deleted": _EXACT,
    "description": _REGEX,
    "display_description": _REGEX,  # the same as description
    "display_name": _REGEX,  # the same as name
    "host": _EXACT,
    "hostname": _REGEX,
    "image_ref": _EXACT,  # the same as image
    "ip6": _REGEX,
    "kernel_id": _REGEX,
    "key_name": _REGEX,
    "launch_index": _EXACT,
    "launched_at": _REGEX,
    "locked_by": _REGEX,
    "node": _REGEX,
    "power_state": _REGEX,
    "progress": _REGEX,
    "project_id": _EXACT,
    "ramdisk_id": _REGEX,
    "root_device_name": _REGEX,
    "soft_deleted": _EXACT,
    "task_state": _EXACT,
    "tenant_id": _EXACT,  # the same as project_id
    "terminated_at": _REGEX,
    "user_id": _EXACT,
    "uuid": _EXACT,
    "vm_state": _EXACT,
    # Names of joined tables; refused with a message of their own.
    "block_device_mapping": _EXACT,
    "info_cache": _EXACT,
    "metadata": _EXACT,
    "pci_devices": _EXACT,
    "security_groups": _EXACT,
    "services": _EXACT,
    "system_metadata": _EXACT,
}
FILTERS_2_5 = FILTERS_2_1 | {"ip6": pt.regex_query}
FILTERS_2_26 = FILTERS_2_5 | {
    "tags": pt.regex_query,
    "tags-any": pt.regex_query,
    "not-tags": pt.regex_query,
    "not-tags-any": pt.regex_query,
}
FILTERS_2_66 = FILTERS_2_26 | {"changes-before": _TIME}
FILTERS_2_73 = FILTERS_2_66 | {"locked": pt.any_query}
FILTERS_2_75 = FILTERS_2_73 | {"sort_key": _sort_key(*_SORT_KEYS, "locked")}
FILTERS_2_83 = FILTERS_2_75 | {
    "availability_zone": pt.regex_query,
    "config_drive": pt.regex_query,
    "created_at": pt.regex_query,
    "key_name": pt.regex_query,
    "launched_at": pt.regex_query,
    "power_state": pt.regex_query,
    "progress": pt.regex_query,
    "task_state": pt.any_query,
    "terminated_at": pt.regex_query,
    "user_id": pt.any_query,
    "vm_state": pt.any_query,
}
FILTERS_2_90 = FILTERS_2_83 | {"hostname": pt.regex_query}
