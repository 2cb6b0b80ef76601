"""Running operations: every plan goes one way, claim, steps, end; each a place where the agent may die and after which
it begins again.
"""

from __future__ import annotations

import logging
import traceback

from nova_lite import objects
from nova_lite.compute import states
from nova_lite.compute.journal import crash_if_asked
from nova_lite.compute.plans import plan_of
from nova_lite.compute.plans.base import ACTIVE, PAUSED, STOPPED, Columns, Plan
from nova_lite.compute.server_host import Host
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.hv.driver import DriverError, PowerState

LOG = logging.getLogger(__name__)

MAX_ATTEMPTS = 3

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
        plan = plan_of(operation)
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
                self._show(instance, plan, name)
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
            self._end(operation, plan, event, "done", None, {})
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

    def _show(self, instance: objects.Instance, plan: Plan, step: str) -> None:
        """Write the task state that the server has from this step on, unless another request has put its own there."""
        wanted = plan.task_states.get(step)
        if wanted is None:
            return
        with self._database.write() as connection:
            current = db_instances.get(connection, instance.uuid, for_update=True)
            if current is not None and current.task_state in plan.verb.own_task_states - {wanted}:
                db_instances.update(connection, instance.uuid, {"task_state": wanted, "updated_at": now()})

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
        columns = self._after_failure(plan, instance, operation)
        columns |= db_instances.fault_columns(500, message, trace)
        self._end(operation, plan, event, "failed", message, columns, trace)

    def _after_failure(self, plan: Plan, instance: objects.Instance, operation: objects.Operation) -> Columns:
        """What the server is after a failure: in error when it cannot be deleted, else what its VM is, unless its plan
        knows better."""
        uuid = instance.uuid
        try:
            if plan.failed is not None:
                return plan.failed(self._host, instance, operation)
            if plan.outcome == {}:
                return {}
            found = self._host.info(uuid).power_state
        except DriverError as error:
            LOG.warning("Server %s is in error: %s", uuid, error)
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
        columns: Columns,
        trace: str | None = None,
    ) -> None:
        """Write the end of an operation and what the server is now, in one transaction: what the plan says, or these
        columns where it was not done.

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
                outcome = plan.outcome(instance, operation) if callable(plan.outcome) else plan.outcome
                succeeded = state == "done"
                self._write_outcome(connection, instance, plan, outcome if succeeded else columns, succeeded)
                if plan.ended is not None:
                    plan.ended(connection, operation, succeeded)
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
