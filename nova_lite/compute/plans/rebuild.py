"""Rebuild: the server's own disks are made anew from its image, and it starts again if it was not stopped."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import attachments, states
from nova_lite.compute.plans.base import ACTIVE, STOPPED, Columns, Plan
from nova_lite.compute.plans.life import prepare
from nova_lite.compute.plans.power import boot, power_off
from nova_lite.compute.plans.power import shut_down as ask_to_shut_down
from nova_lite.compute.server_host import Host
from nova_lite.db.times import now


def _shut_down(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Only who keeps something is asked to bring it to an end."""
    with host.database.read() as connection:
        keeps = bool(attachments.volumes_of(connection, instance.uuid))
    if keeps or operation.args["preserve_ephemeral"]:
        ask_to_shut_down(host, instance, operation)


def _make_disks(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.config_drives.remove(instance.uuid)  # what it says has changed
    lost = operation.args["lost"]
    for name in lost if isinstance(lost, list) else ():
        host.driver.remove_disk(instance.uuid, host.disks.own(instance, name))
    volume_id = operation.args.get("volume_id")
    if volume_id is not None:
        host.attachments.write_anew(str(volume_id))
    prepare(host, instance, operation)


def _boot(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    if operation.args["vm_state"] != "stopped":
        boot(host, instance, operation)


def _as_it_was(instance: objects.Instance, operation: objects.Operation) -> Columns:
    return dict(STOPPED) if operation.args["vm_state"] == "stopped" else {**ACTIVE, "launched_at": now()}


PLANS = {
    "rebuild": Plan(
        states.REBUILD,
        "compute_rebuild_instance",
        (("shut_down", _shut_down), ("power_off", power_off), ("disks", _make_disks), ("boot", _boot)),
        _as_it_was,
        task_states={"disks": "rebuild_block_device_mapping", "boot": "rebuild_spawning"},
    ),
}
