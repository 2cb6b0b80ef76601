"""The state machine: one table of which verb is legal in which vm_state and task_state, and what it leads to.

States and rules are Nova's (nova/compute/vm_states.py, task_states.py and the checks of its compute API).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from nova_lite import exceptions, objects

IDLE: tuple[str | None, ...] = (None,)
#: What the service notes of a shelved server in its system_metadata: when, where, into which image.
SHELVED_AT, SHELVED_HOST, SHELVED_IMAGE = "shelved_at", "shelved_host", "shelved_image_id"
#: And of one that is SOFT_DELETED: since when.
DELETED_AT = "deleted_at"
REBOOT_TASKS = ("rebooting", "reboot_pending", "reboot_started")
HARD_REBOOT_TASKS = ("rebooting_hard", "reboot_pending_hard", "reboot_started_hard")


@dataclass(frozen=True)
class Verb:
    """One request on a server.

    ``action`` is its name in messages and in instance actions. ``vm_states`` / ``task_states``: where it is legal, None
    for anywhere. ``task_state``: what the server shows from acceptance on. ``working``: what it shows while the agent
    works, None for no change; ``later``: what it shows in later steps. ``must_have_launched``: refused for a server
    that never came up. ``heeds_lock``: refused for a locked server, but to administrators.
    """

    action: str
    vm_states: Container[str] | None
    task_states: Container[str | None] | None = IDLE
    task_state: str | None = None
    working: str | None = None
    must_have_launched: bool = True
    later: tuple[str, ...] = ()
    heeds_lock: bool = True

    @property
    def own_task_states(self) -> frozenset[str]:
        """The task states that this verb puts a server in, and takes back when it ends."""
        return frozenset(state for state in (self.task_state, self.working, *self.later) if state)


CREATE = Verb("create", (), task_state="scheduling", working="spawning", must_have_launched=False)
START = Verb("start", ("stopped",), task_state="powering-on")
STOP = Verb("stop", ("active", "error"), task_state="powering-off")
PAUSE = Verb("pause", ("active",), task_state="pausing")
UNPAUSE = Verb("unpause", ("paused",), task_state="unpausing")
SUSPEND = Verb("suspend", ("active",), task_state="suspending")
RESUME = Verb("resume", ("suspended",), task_state="resuming")
REBOOT = Verb("reboot", ("active",), task_state="rebooting", working="reboot_started")
REBOOT_HARD = Verb(
    "reboot",
    ("active", "stopped", "paused", "suspended", "error"),
    (None, *REBOOT_TASKS, *HARD_REBOOT_TASKS, "resuming", "unpausing", "pausing", "suspending"),
    task_state="rebooting_hard",
    working="reboot_started_hard",
)
EVACUATE = Verb("evacuate", ("active", "stopped", "error"), None, heeds_lock=False)
DELETE = Verb("delete", None, None, task_state="deleting", must_have_launched=False)
SOFT_DELETE = Verb("delete", None, None, task_state="soft-deleting", must_have_launched=False)
RESTORE = Verb("restore", ("soft-delete",), task_state="restoring")
ATTACH_INTERFACE = Verb("attach_interface", ("active", "paused", "stopped"))
DETACH_INTERFACE = Verb("detach_interface", ("active", "paused", "stopped"))
CREATE_IMAGE = Verb(
    "createImage",
    ("active", "stopped", "paused", "suspended"),
    task_state="image_snapshot_pending",
    working="image_snapshot",
    heeds_lock=False,
)
CREATE_BACKUP = Verb(
    "createBackup",
    ("active", "stopped", "paused", "suspended"),
    task_state="image_backup",
    working="image_backup",
    heeds_lock=False,
)
_HAS_VOLUMES = ("active", "paused", "stopped", "resized", "soft-delete", "shelved", "shelved_offloaded")
ATTACH_VOLUME = Verb("attach_volume", _HAS_VOLUMES)
DETACH_VOLUME = Verb("detach_volume", _HAS_VOLUMES)
SHELVE = Verb(
    "shelve",
    ("active", "stopped", "paused", "suspended"),
    task_state="shelving",
    later=("shelving_image_pending_upload", "shelving_image_uploading", "shelving_offloading"),
)
SHELVE_OFFLOAD = Verb("shelveOffload", ("shelved",), task_state="shelving_offloading")
UNSHELVE = Verb("unshelve", ("shelved", "shelved_offloaded"), task_state="unshelving", later=("spawning",))
TRIGGER_CRASH_DUMP = Verb("trigger_crash_dump", ("active", "paused", "rescued", "resized", "error"))
CHANGE_PASSWORD = Verb("changePassword", ("active",))
REBUILD = Verb(
    "rebuild",
    ("active", "stopped", "error"),
    task_state="rebuilding",
    later=("rebuild_block_device_mapping", "rebuild_spawning"),
)
RESIZE = Verb(
    "resize",
    ("active", "stopped"),
    task_state="resize_prep",
    working="resize_migrating",
    later=("resize_migrated", "resize_finish"),
)
CONFIRM_RESIZE = Verb("confirmResize", ("resized",))
REVERT_RESIZE = Verb("revertResize", ("resized",), task_state="resize_reverting")
MIGRATE = Verb("migrate", ("active", "stopped"))
LIVE_MIGRATE = Verb("os-migrateLive", ("active", "paused"))
FORCE_COMPLETE = Verb("force_complete", ("active",), ("migrating",))
ABORT_MIGRATION = Verb("abort live migration", None, ("migrating",))
ATTACH_SHARE = Verb("create share", ("stopped",), None, must_have_launched=False, heeds_lock=False)
DETACH_SHARE = Verb("delete share", ("stopped", "error"), None, must_have_launched=False, heeds_lock=False)
RESCUE = Verb("rescue", ("active", "stopped", "error"), task_state="rescuing")
UNRESCUE = Verb("unrescue", ("rescued",), task_state="unrescuing")
LOCK = Verb("lock", None, None, must_have_launched=False, heeds_lock=False)
UNLOCK = Verb("unlock", None, None, must_have_launched=False, heeds_lock=False)
RESET_STATE = Verb("resetState", None, None, must_have_launched=False, heeds_lock=False)
# What users note about a server; done at once, whatever else is being done to it.
_QUIET = ("active", "paused", "suspended", "stopped")
UPDATE_METADATA = Verb("update metadata", _QUIET, None)
DELETE_METADATA = Verb("delete metadata", _QUIET, None)
UPDATE_TAG = Verb("update tag", _QUIET, None, must_have_launched=False, heeds_lock=False)
UPDATE_TAGS = Verb("update tags", _QUIET, None, must_have_launched=False, heeds_lock=False)
DELETE_TAG = Verb("delete tag", _QUIET, None, must_have_launched=False, heeds_lock=False)
DELETE_TAGS = Verb("delete tags", _QUIET, None, must_have_launched=False, heeds_lock=False)


def check(verb: Verb, instance: objects.Instance) -> None:
    """Raise InstanceInvalidState (409) unless ``verb`` is legal for the server as it is."""
    if verb.vm_states is not None and instance.vm_state not in verb.vm_states:
        raise exceptions.InstanceInvalidState(instance.uuid, "vm_state", instance.vm_state, verb.action)
    if verb.task_states is not None and instance.task_state not in verb.task_states:
        raise exceptions.InstanceInvalidState(instance.uuid, "task_state", instance.task_state, verb.action)
    if verb.must_have_launched and instance.launched_at is None:
        raise exceptions.Conflict(f"Instance {instance.uuid} is in an invalid state for '{verb.action}'")


def check_lock(instance: objects.Instance, is_admin: bool) -> None:
    """Raise InstanceIsLocked (409) for everyone but administrators."""
    if instance.locked and not is_admin:
        raise exceptions.InstanceIsLocked(instance.uuid)


def refusal(verb: Verb, instance: objects.Instance, is_admin: bool) -> str | None:
    """Why ``verb`` would be refused now, by the lock or the state of the server; None when it would not."""
    try:
        if verb.heeds_lock:
            check_lock(instance, is_admin)
        check(verb, instance)
    except exceptions.Conflict as error:
        return str(error)
    return None
