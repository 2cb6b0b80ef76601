"""The one word that users know a server's state by, made from vm_state and task_state, and the way back."""

from __future__ import annotations

from collections.abc import Iterable

_ANY_TASK = "default"
_REBUILDING = ("rebuilding", "rebuild_block_device_mapping", "rebuild_spawning")
_RESIZING = ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish")


def _tasks(word: str, *task_states: str) -> dict[str, str]:
    return dict.fromkeys(task_states, word)


# vm_state → task_state → status, as Nova publishes them.
_STATUSES: dict[str, dict[str, str]] = {
    "active": {_ANY_TASK: "ACTIVE"}
    | _tasks("REBOOT", "rebooting", "reboot_pending", "reboot_started")
    | _tasks("HARD_REBOOT", "rebooting_hard", "reboot_pending_hard", "reboot_started_hard")
    | _tasks("PASSWORD", "updating_password")
    | _tasks("REBUILD", *_REBUILDING)
    | _tasks("MIGRATING", "migrating")
    | _tasks("RESIZE", *_RESIZING),
    "building": {_ANY_TASK: "BUILD"},
    "stopped": {_ANY_TASK: "SHUTOFF"} | _tasks("RESIZE", *_RESIZING) | _tasks("REBUILD", *_REBUILDING),
    "resized": {_ANY_TASK: "VERIFY_RESIZE"} | _tasks("REVERT_RESIZE", "resize_reverting"),
    "paused": {_ANY_TASK: "PAUSED"} | _tasks("MIGRATING", "migrating"),
    "suspended": {_ANY_TASK: "SUSPENDED"},
    "rescued": {_ANY_TASK: "RESCUE"},
    "error": {_ANY_TASK: "ERROR"} | _tasks("REBUILD", *_REBUILDING),
    "deleted": {_ANY_TASK: "DELETED"},
    "soft-delete": {_ANY_TASK: "SOFT_DELETED"},
    "shelved": {_ANY_TASK: "SHELVED"},
    "shelved_offloaded": {_ANY_TASK: "SHELVED_OFFLOADED"},
}

# The statuses that come with a progress, and those that come with a fault if there was one.
WITH_PROGRESS = frozenset({"ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE", "MIGRATING"})
WITH_FAULT = frozenset({"ERROR", "DELETED"})


def status_of(vm_state: str, task_state: str | None, deleted: bool = False) -> str:
    """ACTIVE, BUILD, SHUTOFF …; UNKNOWN for a vm_state that does not exist."""
    if deleted:
        return "DELETED"
    by_task = _STATUSES.get(vm_state, {})
    return by_task.get(task_state or _ANY_TASK) or by_task.get(_ANY_TASK, "UNKNOWN")


def states_of(statuses: Iterable[str]) -> tuple[list[str], list[str] | None]:
    """The vm_states and task_states that show as one of ``statuses`` (upper or lower case).

    No vm_states when every status is unknown. None for task_states when they do not matter: a filter by ACTIVE also
    finds servers that reboot, as in Nova.
    """
    wanted = {status.upper() for status in statuses}
    vm_states, task_states = set(), set()
    for vm_state, by_task in _STATUSES.items():
        for task_state, status in by_task.items():
            if status in wanted:
                vm_states.add(vm_state)
                task_states.add(task_state)
    return sorted(vm_states), None if _ANY_TASK in task_states else sorted(task_states)
