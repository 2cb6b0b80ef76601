"""The beginning and the end of servers: create and delete."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import attachments, states
from nova_lite.compute.plans.base import ACTIVE, Columns, Plan
from nova_lite.compute.plans.power import boot
from nova_lite.compute.server_host import Host
from nova_lite.hv.driver import PowerState


def prepare(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Make what the server has on this host and is not there yet: folder, disks, config drive."""
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


_DELETE = (("destroy", _destroy), ("disconnect", _disconnect))

PLANS = {
    "create": Plan(
        states.CREATE,
        "compute__do_build_and_run_instance",
        (("prepare", prepare), ("boot", boot)),
        ACTIVE,
        attachments.started,
        _never_came_up,
    ),
    "delete": Plan(states.DELETE, "compute_terminate_instance", _DELETE, None),
    "forceDelete": Plan(states.FORCE_DELETE, "compute_terminate_instance", _DELETE, None),
}
