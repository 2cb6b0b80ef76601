"""Making the database and the VMs agree: when the agent starts, and when a VM does something unasked.

One rule, ``settle``, compares one server's row with its VM. It runs in the journal's lane of that server, so never
beside an operation on it; and it leaves servers alone for which an operation is still to come.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any

from nova_lite import objects
from nova_lite.compute.plans.base import ACTIVE, CRASHED, PAUSED, STOPPED
from nova_lite.compute.server_host import Host
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db.times import now
from nova_lite.hv.driver import DriverError, MachineEvent, MachineInfo, PowerState

LOG = logging.getLogger(__name__)

_MAX_RESTARTS = 3
_RESTART_WINDOW = 60.0  # seconds


class Reconciler:
    """Knows what should be; ``resume`` is the option resume_guests_state_on_host_boot."""

    def __init__(self, host: Host, resume: bool) -> None:
        self._host, self._resume = host, resume
        self._restarts: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def servers_to_settle(self) -> set[str]:
        """Every server that has a row or a VM on this host: what is to be settled when the agent starts."""
        with self._host.database.read() as connection:
            rows = {instance.uuid for instance in db_instances.of_host(connection, self._host.name)}
        return rows | {machine.uuid for machine in self._host.driver.list()}

    def settle(self, uuid: str, event: MachineEvent | None = None) -> None:
        """Make row and VM of one server agree; ``event`` is what its VM has just done, if anything."""
        with self._host.database.read() as connection:
            instance = db_instances.get(connection, uuid)
            if instance is not None and db_operations.is_outstanding(connection, uuid):
                return  # that operation makes them agree
        if instance is None or instance.deleted or instance.host != self._host.name:
            self._remove_orphan(uuid)
            return
        try:
            machine = self._host.info(uuid)
        except DriverError as error:
            LOG.error("The VM of server %s cannot be asked how it is; its row stays as it is: %s", uuid, error)
            self._write(instance, {})
            return
        try:
            changes = self._changes(instance, machine, event)
        except DriverError as error:
            LOG.error("Server %s cannot be brought to what it should be: %s", uuid, error)
            changes = {"vm_state": "error", **db_instances.fault_columns(500, str(error))}
        self._write(instance, changes)
        self.settle_volumes(uuid)

    def settle_volumes(self, uuid: str) -> None:
        """Free what its machine has let go of."""
        try:
            self._host.attachments.settle(uuid)
        except DriverError as error:
            LOG.warning("Volumes of server %s are not looked after now: %s", uuid, error)

    def _remove_orphan(self, uuid: str) -> None:
        """A VM that no server of this host owns."""
        LOG.warning("VM %s belongs to no server of this host; it is removed", uuid)
        try:
            self._host.driver.destroy(uuid)
        except DriverError as error:
            LOG.error("VM %s cannot be removed: %s", uuid, error)

    def _changes(
        self, instance: objects.Instance, machine: MachineInfo, event: MachineEvent | None
    ) -> dict[str, Any]:
        """The columns that the VM contradicts; acts on the VM where the row is to win."""
        found = machine.power_state
        if instance.vm_state in ("active", "paused"):
            return self._changes_of_running(instance, machine, event)
        if instance.vm_state in ("stopped", "shelved", "soft-delete"):
            if found is not PowerState.SHUTDOWN:
                LOG.warning("Server %s should be off and is not; its VM is ended", instance.uuid)
                self._host.driver.power_off(instance.uuid)
            return STOPPED | {"vm_state": instance.vm_state}
        if instance.vm_state in ("resized", "rescued") and machine.pid == 0 and event is None:
            return self._changes_of_waiting(instance, machine)
        if instance.vm_state == "building":
            # Nothing is outstanding, so nobody builds it any more.
            return {"vm_state": "error", **db_instances.fault_columns(500, "The build of this server was cut off.")}
        return {"power_state": int(found)}

    def _changes_of_waiting(self, instance: objects.Instance, machine: MachineInfo) -> dict[str, Any]:
        """Of a resized or rescued server without a machine: one that ran starts again after a reboot of the host."""
        if instance.power_state != int(PowerState.RUNNING) or not self._resume:
            return {"power_state": int(machine.power_state)}
        return {"power_state": self._start_again(instance)["power_state"]}

    def _changes_of_running(
        self, instance: objects.Instance, machine: MachineInfo, event: MachineEvent | None
    ) -> dict[str, Any]:
        found, uuid = machine.power_state, instance.uuid
        if found is PowerState.RUNNING:
            return dict(ACTIVE)
        if found is PowerState.PAUSED:
            return dict(PAUSED)
        if found is PowerState.CRASHED:
            detail = (event.detail if event else "") or machine.detail or "no more is known"
            LOG.warning("The guest of server %s crashed: %s", uuid, detail)
            message = f"The guest crashed: {detail}. Its console output shows what it wrote before."
            return CRASHED | db_instances.fault_columns(500, message)
        guest_powered_off = event.kind == "shutdown" if event else machine.pid != 0
        if guest_powered_off:
            LOG.info("Server %s powered itself off", uuid)
            self._host.driver.power_off(uuid)
            return dict(STOPPED)
        if not self._resume:
            LOG.warning("The VM of server %s is gone; it stays off", uuid)
            return dict(STOPPED)
        return self._start_again(instance)

    def _start_again(self, instance: objects.Instance) -> dict[str, Any]:
        uuid = instance.uuid
        if not self._may_restart(uuid):
            message = f"The VM ended {_MAX_RESTARTS} times within {_RESTART_WINDOW:g} s and was not started again."
            LOG.error("Server %s: %s", uuid, message)
            return CRASHED | db_instances.fault_columns(500, message)
        LOG.warning("The VM of server %s is gone; it is started again", uuid)
        self._host.power_on(instance)  # its disks are there, or this is to fail
        if instance.vm_state == "paused":
            self._host.driver.pause(uuid)
            return dict(PAUSED)
        return dict(ACTIVE)

    def _may_restart(self, uuid: str) -> bool:
        at = time.monotonic()
        with self._lock:
            recent = self._restarts.setdefault(uuid, deque())
            while recent and at - recent[0] > _RESTART_WINDOW:
                recent.popleft()
            if len(recent) >= _MAX_RESTARTS:
                return False
            recent.append(at)
            return True

    def _write(self, instance: objects.Instance, changes: dict[str, Any]) -> None:
        """Write what differs, unless an operation was accepted meanwhile. No task can be left: none is outstanding."""
        with self._host.database.write() as connection:
            current = db_instances.get(connection, instance.uuid, for_update=True)
            if current is None or current.deleted or db_operations.is_outstanding(connection, instance.uuid):
                return
            changes = {**changes, "task_state": None}
            differing = {
                name: value
                for name, value in changes.items()
                if name.startswith("fault_") or getattr(current, name) != value
            }
            if differing:
                db_instances.update(connection, instance.uuid, differing | {"updated_at": now()})
