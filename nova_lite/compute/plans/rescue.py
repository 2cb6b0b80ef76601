"""Rescue and unrescue. The server's disks are not touched: the rescue disk is a file of its own, gone afterwards."""

from __future__ import annotations

from dataclasses import replace

from nova_lite import objects
from nova_lite.compute import states
from nova_lite.compute.plans.base import ACTIVE, STOPPED, Columns, Plan
from nova_lite.compute.plans.power import boot, power_off
from nova_lite.compute.plans.power import shut_down as shut_down_as_it_is
from nova_lite.compute.server_disks import RESCUE_DISK, RESCUE_IMAGE
from nova_lite.compute.server_host import Host
from nova_lite.db import instances as db_instances
from nova_lite.db.engine import Connection
from nova_lite.hv.driver import PowerState


def _shut_down(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """What runs now is the server's own guest."""
    shut_down_as_it_is(host, replace(instance, task_state=None), operation)


def _prepare(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    _remove_disk(host, instance, operation)
    host.bring_images(instance)
    host.driver.prepare(host.spec(instance))


def _remove_disk(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.remove_disk(instance.uuid, host.disks.own(instance, RESCUE_DISK))


def _goes_on(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    """Of a server that could not be rescued: it is what it was, started again as its own."""
    power_off(host, instance, operation)
    _remove_disk(host, instance, operation)
    if operation.args["vm_state"] == "active":
        host.power_on(replace(instance, task_state=None))
        return dict(ACTIVE)
    if operation.args["vm_state"] == "stopped":
        return dict(STOPPED)
    return {"vm_state": "error", "power_state": int(PowerState.SHUTDOWN)}


def _ended(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    """A server that is not rescued remembers no image for it."""
    instance = db_instances.get(connection, operation.instance_uuid)
    if instance is not None and instance.vm_state != "rescued" and RESCUE_IMAGE in instance.system_metadata:
        remembered = {name: value for name, value in instance.system_metadata.items() if name != RESCUE_IMAGE}
        db_instances.update(connection, instance.uuid, {"system_metadata": remembered})


PLANS = {
    "rescue": Plan(
        states.RESCUE,
        "compute_rescue_instance",
        (("shut_down", _shut_down), ("power_off", power_off), ("prepare", _prepare), ("boot", boot)),
        {"vm_state": "rescued", "power_state": int(PowerState.RUNNING)},
        _ended,
        _goes_on,
    ),
    "unrescue": Plan(
        states.UNRESCUE,
        "compute_unrescue_instance",
        (("power_off", power_off), ("remove", _remove_disk), ("boot", boot)),
        ACTIVE,
        _ended,
    ),
}
