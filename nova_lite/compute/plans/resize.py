"""Another flavor for a server: resize, its confirmation, and the way back.

Where a resize fails, what it did is undone and the server goes on as it was.
"""

from __future__ import annotations

from dataclasses import asdict

from nova_lite import objects
from nova_lite.compute import states
from nova_lite.compute.plans.base import ACTIVE, STOPPED, Columns, Plan
from nova_lite.compute.plans.power import power_off, shut_down
from nova_lite.compute.resize import UNDER_WAY, devices_of, forgetting, old_flavor
from nova_lite.compute.server_host import Host
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import instances as db_instances
from nova_lite.db import migration_records
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.hv.driver import PowerState


def _forget_stale(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Remove old disks of a resize that was never confirmed nor reverted; not those of this one, done again."""
    if old_flavor(host.reread(instance)) is None:
        host.driver.forget_disks(instance.uuid)


def _switch(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Give the server its new flavor and disks in the database, and remember the old."""
    flavor = objects.Flavor(**operation.args["flavor"])  # type: ignore[arg-type]
    with host.database.write() as connection:
        current = db_instances.get(connection, instance.uuid, for_update=True)
        if current is None or old_flavor(current) is not None:
            return
        devices = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
        changed = devices_of(connection, devices, current.flavor, flavor)
        for device in changed:
            device.instance_uuid = instance.uuid
        remembered = {
            "old_flavor": db_instances.flavor_document(current.flavor),
            "old_devices": [asdict(device) for device in devices],
            "old_vm_state": operation.args["vm_state"],
        }
        db_block_devices.replace_all(connection, instance.uuid, changed)
        columns = db_instances.flavor_columns(flavor)
        db_instances.update(
            connection, instance.uuid, {**columns, "system_metadata": current.system_metadata | remembered}
        )
        migration_records.advance(connection, instance.uuid, "migrating", UNDER_WAY)


def _switch_back(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Undo ``_switch``, unless that is done; volumes that have come or gone since stay so."""
    with host.database.write() as connection:
        current = db_instances.get(connection, instance.uuid, for_update=True)
        old = old_flavor(current) if current is not None else None
        if current is None or old is None:
            return
        present = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
        volumes = {device.uuid: device for device in present if device.volume_id is not None}
        devices = []
        for document in current.system_metadata["old_devices"]:
            device = objects.BlockDevice(**document)
            if device.volume_id is None:
                devices.append(device)
            elif device.uuid in volumes:
                devices.append(volumes.pop(device.uuid))
        db_block_devices.replace_all(connection, instance.uuid, [*devices, *volumes.values()])
        columns = db_instances.flavor_columns(old)
        db_instances.update(connection, instance.uuid, {**columns, "system_metadata": forgetting(current)})


def _resize_disks(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    spec = host.spec(host.reread(instance))
    host.driver.resize_disks(spec)
    host.driver.prepare(spec)


def _restore_disks(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.restore_disks(instance.uuid)


def _boot_as_it_was(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    if operation.args["vm_state"] == "active":
        host.power_on(host.reread(instance))


def _forget_disks(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.driver.forget_disks(instance.uuid)


def _as_it_was(instance: objects.Instance, operation: objects.Operation) -> Columns:
    state = ACTIVE if operation.args["vm_state"] == "active" else STOPPED
    return {**state, "launched_at": now()} if state is ACTIVE else dict(state)


def _resized(instance: objects.Instance, operation: objects.Operation) -> Columns:
    return {**_as_it_was(instance, operation), "vm_state": "resized"}


def _confirmed(instance: objects.Instance, operation: objects.Operation) -> Columns:
    return dict(STOPPED if instance.power_state == PowerState.SHUTDOWN else ACTIVE)


def _undo(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    power_off(host, instance, operation)
    _restore_disks(host, instance, operation)
    _switch_back(host, instance, operation)
    _boot_as_it_was(host, instance, operation)
    return _as_it_was(instance, operation)


def _still_resized(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    """Of a confirmation or revert that failed: it can be asked for again, unless the server has its old flavor."""
    if old_flavor(host.reread(instance)) is None:
        return {"vm_state": "error", "power_state": int(host.info(instance.uuid).power_state)}
    return {"vm_state": "resized", "power_state": int(host.info(instance.uuid).power_state)}


def _resize_ended(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    status = "finished" if succeeded else "error"
    migration_records.advance(connection, operation.instance_uuid, status, UNDER_WAY)


def _confirm_ended(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    status = "confirmed" if succeeded else "finished"
    migration_records.advance(connection, operation.instance_uuid, status, ("confirming",))
    instance = db_instances.get(connection, operation.instance_uuid)
    if succeeded and instance is not None:
        db_instances.update(connection, instance.uuid, {"system_metadata": forgetting(instance)})


def _revert_ended(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    instance = db_instances.get(connection, operation.instance_uuid)
    left = "error" if instance is None or old_flavor(instance) is None else "finished"
    status = "reverted" if succeeded else left
    migration_records.advance(connection, operation.instance_uuid, status, ("reverting",))


PLANS = {
    "resize": Plan(
        states.RESIZE,
        "compute_finish_resize",
        (
            ("shut_down", shut_down),
            ("power_off", power_off),
            ("forget", _forget_stale),
            ("switch", _switch),
            ("disks", _resize_disks),
            ("boot", _boot_as_it_was),
        ),
        _resized,
        _resize_ended,
        _undo,
        {"switch": "resize_migrated", "disks": "resize_finish"},
    ),
    "confirmResize": Plan(
        states.CONFIRM_RESIZE,
        "compute_confirm_resize",
        (("forget", _forget_disks),),
        _confirmed,
        _confirm_ended,
        _still_resized,
    ),
    "revertResize": Plan(
        states.REVERT_RESIZE,
        "compute_finish_revert_resize",
        (
            ("power_off", power_off),
            ("restore", _restore_disks),
            ("switch_back", _switch_back),
            ("boot", _boot_as_it_was),
        ),
        _as_it_was,
        _revert_ended,
        _still_resized,
    ),
}
