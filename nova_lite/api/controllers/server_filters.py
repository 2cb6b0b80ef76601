"""From the query of a server listing to what ``compute.list`` takes. Who may filter by what is in the schemas."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypedDict

from nova_lite import exceptions
from nova_lite.api import wsgi
from nova_lite.api.controllers import server_status
from nova_lite.api.formats import CONVERSIONS


class ListParams(TypedDict, total=False):
    """Every filter of every version. Values are as sent, but for times and ``limit``."""

    access_ip_v4: str
    access_ip_v6: str
    all_tenants: str
    auto_disk_config: str
    availability_zone: str
    block_device_mapping: str
    changes_before: datetime
    changes_since: datetime
    config_drive: str
    created_at: str
    deleted: str
    description: str
    display_description: str
    display_name: str
    flavor: str
    host: str
    hostname: str
    image: str
    image_ref: str
    info_cache: str
    ip: str
    ip6: str
    kernel_id: str
    key_name: str
    launch_index: str
    launched_at: str
    limit: int
    locked: str
    locked_by: str
    marker: str
    metadata: str
    name: str
    node: str
    not_tags: str
    not_tags_any: str
    pci_devices: str
    power_state: str
    progress: str
    project_id: str
    ramdisk_id: str
    reservation_id: str
    root_device_name: str
    security_groups: str
    services: str
    soft_deleted: str
    sort_dir: list[str]
    sort_key: list[str]
    status: list[str]
    system_metadata: str
    tags: str
    tags_any: str
    task_state: str
    tenant_id: str
    terminated_at: str
    user_id: str
    uuid: str
    vm_state: str


_JOINED_TABLES = (
    *("block_device_mapping", "info_cache", "metadata", "pci_devices", "security_groups", "services"),
    "system_metadata",
)
_ALIASES = {
    "display_description": "description",
    "display_name": "name",
    "image_ref": "image",
    "tenant_id": "project_id",
}
_NOT_FILTERS = frozenset(
    {"all_tenants", "limit", "marker", "sort_dir", "sort_key", "status", *_ALIASES, *_JOINED_TABLES}
)
# Accepted, and without effect: these columns do not exist, or sorting by them was switched off long ago.
_IGNORED_SORT_KEYS = frozenset(
    {
        *("architecture", "cell_name", "cleaned", "default_ephemeral_device", "default_swap_device", "deleted"),
        *("deleted_at", "disable_terminate", "ephemeral_gb", "ephemeral_key_uuid", "id", "key_data", "launched_on"),
        *("memory_mb", "os_type", "reservation_id", "root_gb", "shutdown_terminate", "user_data", "vcpus", "vm_mode"),
    }
)
_ADMIN_SORT_KEYS = frozenset({"host", "node"})


class NothingMatches(Exception):
    """The filters contradict themselves in a way that Nova answers with an empty list."""


def filters_of(req: wsgi.Request, params: ListParams, all_projects: bool) -> dict[str, Any]:
    """The filters as ``compute.list`` takes them.

    :raises NothingMatches: an unknown status, which is an error only from 2.38 on.
    """
    for name in _JOINED_TABLES:
        if name in params:
            raise exceptions.Invalid(f"Invalid filter field: {name}.")
    given: dict[str, Any] = dict(params)
    for alias, name in _ALIASES.items():
        if alias in given:
            given.setdefault(name, given[alias])
    filters = {name: _typed(name, value) for name, value in given.items() if name not in _NOT_FILTERS}
    if not all_projects:
        filters.pop("project_id", None)
    if "auto_disk_config" in filters:
        filters["disk_config"] = "AUTO" if filters.pop("auto_disk_config") else "MANUAL"
    _check_changes(filters)
    if "status" in params:
        filters |= _states(req, params["status"])
    return filters


def wants_all_projects(params: ListParams) -> bool:
    """Whether ``all_tenants`` is asked for: by a true word, or by no value at all."""
    return bool(_flag("all_tenants", params["all_tenants"] or "1")) if "all_tenants" in params else False


def _check_changes(filters: dict[str, Any]) -> None:
    since, before = filters.get("changes_since"), filters.get("changes_before")
    if since is not None and before is not None and before < since:
        raise exceptions.Invalid("The value of changes-since must be less than or equal to changes-before.")


def _states(req: wsgi.Request, statuses: list[str]) -> dict[str, Any]:
    vm_states, task_states = server_status.states_of(statuses)
    if not vm_states:
        if req.version >= (2, 38):
            raise exceptions.Invalid(f"Invalid status value: {', '.join(statuses)[:255]}")
        raise NothingMatches
    states: dict[str, Any] = {"vm_state": vm_states}
    if task_states is not None:
        states["task_state"] = task_states
    if vm_states == ["deleted"]:
        if not req.context.is_admin:
            raise exceptions.Forbidden("Only administrators may list deleted instances")
        states["deleted"] = True
    return states


# -- values ------------------------------------------------------------------------------------------------------


def _flag(name: str, value: str) -> bool:
    return _converted("boolean", name, value)


def _converted(kind: str, name: str, value: str) -> Any:
    try:
        return CONVERSIONS[kind](value)
    except ValueError as error:
        raise exceptions.Invalid(f"Invalid filter {name}: {error}.") from error


def _lenient_flag(name: str, value: str) -> bool:
    """Nova reads any odd word as false here."""
    try:
        return bool(CONVERSIONS["boolean"](value))
    except ValueError:
        return False


def _number(name: str, value: str) -> int:
    return _converted("integer", name, value)


def _time(name: str, value: str) -> datetime:
    return _converted("datetime", name, value)


def _words(name: str, value: str) -> list[str]:
    return value.split(",")


_TYPES: dict[str, Callable[[str, str], Any]] = {
    "auto_disk_config": _flag,
    "config_drive": _flag,
    "created_at": _time,
    "deleted": _lenient_flag,
    "launch_index": _number,
    "launched_at": _time,
    "locked": _flag,
    "not_tags": _words,
    "not_tags_any": _words,
    "power_state": _number,
    "progress": _number,
    "soft_deleted": _lenient_flag,
    "tags": _words,
    "tags_any": _words,
    "terminated_at": _time,
}


def _typed(name: str, value: Any) -> Any:
    convert = _TYPES.get(name)
    return convert(name, value) if convert else value


# -- order -------------------------------------------------------------------------------------------------------


def sort_of(req: wsgi.Request, params: ListParams) -> list[tuple[str, str]]:
    """(key, direction) pairs, most important first; a missing direction is that of the first key, or descending."""
    keys = [key.strip() for key in params.get("sort_key", [])] or ["created_at"]
    directions = [direction.strip() for direction in params.get("sort_dir", [])] or ["desc"]
    for direction in directions:
        if direction not in ("asc", "desc"):
            raise exceptions.Invalid(f"Unknown sort direction '{direction[:255]}', must be asc or desc.")
    pairs = []
    for position, key in enumerate(keys):
        if key in _IGNORED_SORT_KEYS or (key == "locked" and req.version < (2, 73)):
            continue
        if key in _ADMIN_SORT_KEYS and not req.context.is_admin:
            raise exceptions.Forbidden(f"Only administrators can sort servers by {key}")
        pairs.append((key, directions[position] if position < len(directions) else directions[0]))
    return pairs
