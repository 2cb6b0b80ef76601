"""What each operation does on its host: a plan of idempotent steps, and what the server is when they are done.

A plan is data: name of the event that instance actions show, the steps, the columns of the outcome. ``Work.run`` is the
one way through them: claim, steps, end; each a place where the agent may die and after which it begins again.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nova_lite import objects
from nova_lite.compute import attachments, snapshot_files, states
from nova_lite.compute.journal import crash_if_asked
from nova_lite.compute.server_host import Host
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.hv.driver import DriverError, PowerState

LOG = logging.getLogger(__name__)

MAX_ATTEMPTS = 3

ACTIVE = {"vm_state": "active", "power_state": int(PowerState.RUNNING)}
STOPPED = {"vm_state": "stopped", "power_state": int(PowerState.SHUTDOWN)}
PAUSED = {"vm_state": "paused", "power_state": int(PowerState.PAUSED)}
CRASHED = {"vm_state": "error", "power_state": int(PowerState.CRASHED)}

Columns = dict[str, Any]
Step = Callable[[Host, objects.Instance, objects.Operation], None]


def _prepare(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.config_drives.make(instance)
    host.attachments.make(instance)
    host.driver.prepare(host.spec(instance))


def _boot(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.power_on(instance)


def _shut_down(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    try:
        spec = host.spec(instance)
    except DriverError as error:  # a server without its image must be stoppable
        LOG.info("Server %s is not asked to power itself off: %s", instance.uuid, error)
        return
    host.shut_down(instance, spec, operation)


def _power_off(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.power_off(instance.uuid)


def _reboot(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    spec, hard = host.spec(instance), bool(operation.args.get("hard"))
    if not hard:
        host.shut_down(instance, spec, operation)
        if not host.is_current(operation):
            return
    if host.boots_from_disk(instance):  # a reset would boot what was read from the disk last time
        host.driver.power_off(instance.uuid)
        host.power_on(instance)
    else:
        host.driver.reboot(host.boot_spec(instance), hard)
        if hard:
            host.wiring.started(instance)


def _pause(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.pause(instance.uuid)


def _unpause(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.resume(instance.uuid)


def _destroy(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.destroy(instance.uuid)
    host.config_drives.remove(instance.uuid)


def _attach_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.connect(instance)


def _detach_interface(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.release(instance, str(operation.args["port_id"]))


def _disconnect(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.disconnect(instance)


def _attach_volume(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.attachments.attach(instance, operation)


def _cut(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.snapshots.cut(instance, host.spec(instance), operation)


def _make_image(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.snapshots.finish(host.spec(instance), operation)


def _rotate(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.snapshots.rotate(instance, operation)


def _detach_volume(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.attachments.detach(instance, operation)


@dataclass(frozen=True)
class Plan:
    """``verb`` says which task states are its own; ``outcome`` is None where the server is then deleted, {} where it
    stays what it is, whether this succeeds or not. ``ended`` writes what else comes of it, in the same transaction."""

    verb: states.Verb
    event: str
    steps: tuple[tuple[str, Step], ...]
    outcome: Columns | None
    ended: Callable[[Connection, objects.Operation, bool], None] | None = None


def _plan_of(operation: objects.Operation) -> Plan | None:
    if operation.action == "reboot" and operation.args.get("hard"):
        return _REBOOT_HARD
    return PLANS.get(operation.action)


_REBOOT_HARD = Plan(states.REBOOT_HARD, "compute_reboot_instance", (("reboot", _reboot),), ACTIVE)
_DELETE = (("destroy", _destroy), ("disconnect", _disconnect))
PLANS = {
    "create": Plan(
        states.CREATE,
        "compute__do_build_and_run_instance",
        (("prepare", _prepare), ("boot", _boot)),
        ACTIVE,
        attachments.started,
    ),
    "attach_volume": Plan(
        states.ATTACH_VOLUME, "compute_attach_volume", (("attach", _attach_volume),), {}, attachments.came
    ),
    "createImage": Plan(
        states.CREATE_IMAGE,
        "compute_snapshot_instance",
        (("cut", _cut), ("finish", _make_image)),
        {},
        snapshot_files.ended,
    ),
    "createBackup": Plan(
        states.CREATE_BACKUP,
        "compute_backup_instance",
        (("cut", _cut), ("finish", _make_image), ("rotate", _rotate)),
        {},
        snapshot_files.ended,
    ),
    "detach_volume": Plan(states.DETACH_VOLUME, "compute_detach_volume", (("detach", _detach_volume),), {}),
    "start": Plan(states.START, "compute_start_instance", (("boot", _boot),), ACTIVE),
    "stop": Plan(
        states.STOP, "compute_stop_instance", (("shut_down", _shut_down), ("power_off", _power_off)), STOPPED
    ),
    "reboot": Plan(states.REBOOT, "compute_reboot_instance", (("reboot", _reboot),), ACTIVE),
    "pause": Plan(states.PAUSE, "compute_pause_instance", (("pause", _pause),), PAUSED),
    "unpause": Plan(states.UNPAUSE, "compute_unpause_instance", (("unpause", _unpause),), ACTIVE),
    "attach_interface": Plan(
        states.ATTACH_INTERFACE, "compute_attach_interface", (("connect", _attach_interface),), {}
    ),
    "detach_interface": Plan(
        states.DETACH_INTERFACE, "compute_detach_interface", (("disconnect", _detach_interface),), {}
    ),
    "delete": Plan(states.DELETE, "compute_terminate_instance", _DELETE, None),
    "forceDelete": Plan(states.FORCE_DELETE, "compute_terminate_instance", _DELETE, None),
}


#: A server that has no VM when one of these fails is merely stopped.
_LEAVES_STOPPED = (states.START, states.STOP, states.ATTACH_INTERFACE, states.DETACH_INTERFACE)


class _Superseded(Exception):
    """The operation was ended by a delete while it ran."""


class Work:
    """Runs operations; called by the journal's threads."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._database = host.database

    def run(self, operation: objects.Operation) -> None:
        """Take one operation from its row to its end."""
        plan = _plan_of(operation)
        action = operation.action
        crash_if_asked(f"{action}:claim:before")
        claimed = self._claim(operation, plan)
        crash_if_asked(f"{action}:claim:after")
        if claimed is None or plan is None:
            return
        instance, event = claimed
        try:
            for name, step in plan.steps:
                self._check_current(operation)
                crash_if_asked(f"{action}:{name}:before")
                step(self._host, instance, operation)
                crash_if_asked(f"{action}:{name}:after")
        except _Superseded:
            self._end(operation, plan, event, "failed", "Given up: the server is being deleted.", {})
        except DriverError as error:
            self._failed(operation, plan, instance, event, str(error), None)
        except Exception:
            LOG.exception("Operation %s (%s of %s) failed", operation.id, action, instance.uuid)
            message = "The host failed in a way that nobody foresaw; its administrator can read more."
            self._failed(operation, plan, instance, event, message, traceback.format_exc())
        else:
            self._end(operation, plan, event, "done", None, plan.outcome)
            if plan.outcome is None:
                self._purge()
        self._settle_volumes(instance)

    def _purge(self) -> None:
        """Volumes may go with the server that is gone, and it may have been the last of an image that was removed."""
        try:
            self._host.attachments.purge()
            self._host.snapshots.purge(self._host.name)
            self._host.images.purge()
        except OSError as error:
            LOG.error("The files of a deleted volume or image cannot be deleted: %s", error)

    def _settle_volumes(self, instance: objects.Instance) -> None:
        """What a machine has let go of may have become free by this."""
        try:
            self._host.attachments.settle(instance.uuid)
        except DriverError as error:
            LOG.warning("Volumes of server %s are not looked after now: %s", instance.uuid, error)

    def _claim(self, operation: objects.Operation, plan: Plan | None) -> tuple[objects.Instance, int] | None:
        """Mark it running; None when there is nothing to run."""
        with self._database.write() as connection:
            instance = db_instances.get(connection, operation.instance_uuid, for_update=True)
            if not db_operations.claim(connection, operation.id):
                return None
            refusal = None
            if instance is None or instance.deleted:
                refusal = "The server is deleted."
            elif plan is None:
                refusal = f"This host does not know how to {operation.action} a server."
            if refusal is None and operation.attempts < MAX_ATTEMPTS:
                assert instance is not None and plan is not None
                if plan.verb.working is not None and instance.task_state in plan.verb.own_task_states:
                    values = {"task_state": plan.verb.working, "updated_at": now()}
                    db_instances.update(connection, instance.uuid, values)
                event = db_operations.begin_event(connection, operation.id, plan.event, self._host.name)
                return instance, event
            if refusal is not None or plan is None or instance is None:
                db_operations.finish(connection, operation.id, "failed", refusal)
                return None
            event = db_operations.begin_event(connection, operation.id, plan.event, self._host.name)
        LOG.error("Operation %s (%s) ended the agent %s times", operation.id, operation.action, operation.attempts)
        message = f"Given up: the host's agent ended {operation.attempts} times while it worked on this."
        self._failed(operation, plan, instance, event, message, None)
        return None

    def _check_current(self, operation: objects.Operation) -> None:
        if not self._host.is_current(operation):
            raise _Superseded

    def _failed(
        self,
        operation: objects.Operation,
        plan: Plan,
        instance: objects.Instance,
        event: int,
        message: str,
        trace: str | None,
    ) -> None:
        LOG.warning("Operation %s (%s of %s) failed: %s", operation.id, operation.action, instance.uuid, message)
        columns = self._after_failure(plan, instance)
        columns |= db_instances.fault_columns(500, message, trace)
        self._end(operation, plan, event, "failed", message, columns, trace)

    def _after_failure(self, plan: Plan, instance: objects.Instance) -> Columns:
        """What the server is after a failure: in error when it never came up or cannot be deleted, else what its VM
        is."""
        uuid = instance.uuid
        if plan.verb in (states.CREATE_IMAGE, states.CREATE_BACKUP):
            self._host.snapshots.go_on(instance)
        if plan.outcome == {}:
            return {}
        try:
            if plan.verb is states.CREATE:
                self._host.driver.power_off(uuid)
                return {"vm_state": "error", "power_state": int(PowerState.NOSTATE)}
            found = self._host.info(uuid).power_state
        except DriverError as error:
            LOG.warning("The state of server %s cannot be read: %s", uuid, error)
            return {"vm_state": "error"}
        if plan.outcome is None:
            return {"vm_state": "error", "power_state": int(found)}
        if found is PowerState.RUNNING:
            return dict(ACTIVE)
        if found is PowerState.PAUSED:
            return dict(PAUSED)
        if found is PowerState.SHUTDOWN and plan.verb in _LEAVES_STOPPED:
            return dict(STOPPED)
        return {"vm_state": "error", "power_state": int(found)}

    def _end(
        self,
        operation: objects.Operation,
        plan: Plan,
        event: int,
        state: str,
        message: str | None,
        columns: Columns | None,
        trace: str | None = None,
    ) -> None:
        """Write the end of an operation and what the server is now, in one transaction.

        When a delete superseded it meanwhile, only its event is closed: the server belongs to the delete.
        """
        crash_if_asked(f"{operation.action}:end:before")
        with self._database.write() as connection:
            instance = db_instances.get(connection, operation.instance_uuid, for_update=True)
            ended = db_operations.finish(connection, operation.id, state, message)
            if not ended:
                message = message or "Given up: the server is being deleted."
            result = "Success" if ended and state == "done" else "Error"
            db_operations.end_event(connection, event, result, message if result == "Error" else None, trace)
            if ended and instance is not None:
                self._write_outcome(connection, instance, plan, columns, succeeded=state == "done")
                if plan.ended is not None:
                    plan.ended(connection, operation, state == "done")
        crash_if_asked(f"{operation.action}:end:after")

    def _write_outcome(
        self,
        connection: Connection,
        instance: objects.Instance,
        plan: Plan,
        columns: Columns | None,
        succeeded: bool,
    ) -> None:
        if columns is None:
            db_instances.mark_deleted(connection, instance.uuid)
            return
        values: Columns = {**columns, "updated_at": now()}
        if instance.task_state in plan.verb.own_task_states:
            values["task_state"] = None  # else another request has put its own there since
        if succeeded and columns:
            values |= db_instances.NO_FAULT
            if instance.launched_at is None:
                values["launched_at"] = now()
        db_instances.update(connection, instance.uuid, values)
