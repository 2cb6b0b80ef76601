"""The beginning and the end of servers: create and delete."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import attachments, states
from nova_lite.compute.plans.base import ACTIVE, STOPPED, Columns, Plan
from nova_lite.compute.plans.power import boot, power_off
from nova_lite.compute.server_host import Host
from nova_lite.db import migration_records
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.hv.driver import PowerState


def prepare(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Make what the server has on this host and is not there yet: folder, disks, config drive."""
    host.bring_images(instance)
    host.config_drives.make(instance)
    host.attachments.make(instance)
    host.driver.prepare(host.spec(instance))


def _destroy(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.destroy(instance.uuid)
    host.config_drives.remove(instance.uuid)


def _disconnect(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.wiring.disconnect(instance)


def _never_came_up(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    host.driver.power_off(instance.uuid)
    return {"vm_state": "error", "power_state": int(PowerState.NOSTATE)}


def _deleted(instance: objects.Instance, operation: objects.Operation) -> Columns:
    notes = instance.system_metadata | {states.DELETED_AT: now().isoformat()}
    return STOPPED | {"vm_state": "soft-delete", "system_metadata": notes}


def _restored(instance: objects.Instance, operation: objects.Operation) -> Columns:
    notes = {name: value for name, value in instance.system_metadata.items() if name != states.DELETED_AT}
    return ACTIVE | {"system_metadata": notes}


def _still_deleted(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    host.driver.power_off(instance.uuid)
    return STOPPED | {"vm_state": "soft-delete"}


def _end_records(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    """What a resize waited for comes to its end with the server."""
    if succeeded:
        migration_records.advance(connection, operation.instance_uuid, "confirmed", ("finished", "confirming"))
        under_way = ("pre-migrating", "migrating", "post-migrating", "reverting")
        migration_records.advance(connection, operation.instance_uuid, "error", under_way)


_DELETE = (("destroy", _destroy), ("disconnect", _disconnect))

#: A delete that can be taken back.
SOFT_DELETE = Plan(states.SOFT_DELETE, "compute_soft_delete_instance", (("power_off", power_off),), _deleted)

PLANS = {
    "create": Plan(
        states.CREATE,
        "compute__do_build_and_run_instance",
        (("prepare", prepare), ("boot", boot)),
        ACTIVE,
        attachments.started,
        _never_came_up,
    ),
    "delete": Plan(states.DELETE, "compute_terminate_instance", _DELETE, None, _end_records),
    "restore": Plan(
        states.RESTORE, "compute_restore_instance", (("boot", boot),), _restored, failed=_still_deleted
    ),
}
