"""Servers that get another flavor: resize, its confirmation and its way back, and cold migration, which needs a second
host.

A server is resized on the host that it is on. Its old disks lie aside until the resize is confirmed or reverted; what
is written to the new ones is lost by a revert, as in Nova.
"""

from __future__ import annotations

import uuid as uuidlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import block_devices, create, quotas, scheduling, states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.compute.server_disks import ServerDisks
from nova_lite.context import RequestContext
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import flavors as db_flavors
from nova_lite.db import hosts as db_hosts
from nova_lite.db import images as db_images
from nova_lite.db import instances as db_instances
from nova_lite.db import migration_records
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection, Database
from nova_lite.db.times import now

_GIB, _MIB = 1 << 30, 1 << 20
#: The states of a record before it is ``finished``.
UNDER_WAY = ("pre-migrating", "migrating", "post-migrating")


class CannotResizeDisk(exceptions.Invalid):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Server disk was unable to be resized because: {reason}")


class ResizeVerbs(AcceptingVerbs):
    """POST /servers/{server_id}/action (resize, confirmResize, revertResize, migrate)."""

    conf: cfg.ConfigOpts

    def resize(
        self, context: RequestContext, instance: objects.Instance, flavor_ref: str, disk_config: str | None = None
    ) -> None:
        """Start an active or stopped server again with another flavor.

        When no host has room for it the server stays as it is, with a fault.

        :raises Invalid: there is no such flavor, it is the server's own, too small for its image or its disks.
        :raises OverQuota: the project may not have that much more.
        :raises Conflict: the server's lock or state.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.RESIZE, current)
            flavor = db_flavors.get(connection, flavor_ref)
            if flavor is None or flavor.disabled or not create.flavor_visible(context, flavor):
                raise exceptions.Invalid(f"Flavor {flavor_ref} could not be found.")
            _check_flavor(connection, current, flavor)
            create.disk_config_of(current.image_properties, current.image_ref, disk_config)
            self.database.lock(connection, f"quota:{current.project_id}")
            quotas.check_more(connection, self.conf, current, _difference(current.flavor, flavor))
            record = _record(connection, context, current, "resize", "pre-migrating", flavor)
            try:
                scheduling.Scheduler(connection, self.database, self.conf).place(flavor, current.host)
            except scheduling.NoValidHost:
                self._no_host(connection, context, current, states.RESIZE, record, "No valid host found for resize")
                return
            migration_records.insert(connection, **record)
            args = {"flavor": db_instances.flavor_document(flavor), "vm_state": current.vm_state}
            self._journal(connection, context, current, states.RESIZE, args)
            # An administrator may have reset the state of a server that was resized.
            changes: dict[str, Any] = {"progress": 0, "system_metadata": forgetting(current)}
            changes["disk_config"] = disk_config or "MANUAL"  # as Nova: what is not said is not kept
            db_instances.update(connection, current.uuid, changes)
        self._poke(current.host)

    def migrate(self, context: RequestContext, instance: objects.Instance, host: str | None = None) -> None:
        """Move a server to another host, which there is none of: the server stays as it is, with a fault.

        :raises Invalid: ``host`` does not exist, or the server is there already.
        :raises Conflict: the server's lock or state.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.MIGRATE, current)
            if host is not None and host == current.host:
                raise exceptions.Invalid("Cannot migrate to the host where the server exists.")
            if host is not None and host not in {node.host for node in db_hosts.list_nodes(connection)}:
                raise exceptions.Invalid(f"Compute host {host} could not be found.")
            record = _record(connection, context, current, "migration", "error", current.flavor)
            record |= {"dest_compute": None, "dest_host": None}
            self._no_host(
                connection, context, current, states.MIGRATE, record, "No valid host found for cold migrate"
            )

    def _no_host(
        self,
        connection: Connection,
        context: RequestContext,
        instance: objects.Instance,
        verb: states.Verb,
        record: dict[str, Any],
        why: str,
    ) -> None:
        """Write that it was asked for and that no host could be found; the server stays what it is."""
        message = f"No valid host was found. {why}"
        migration_records.insert(connection, **record | {"status": "error", "dest_compute": None, "dest_host": None})
        plain = replace(verb, task_state=None)
        operation_id = self._journal(connection, context, instance, plain, {}, state="failed", message=message)
        db_operations.record_event(connection, operation_id, "conductor_migrate_server", None, "Error", message)
        columns = {"updated_at": now(), **db_instances.fault_columns(500, message)}
        db_instances.update(connection, instance.uuid, columns)

    def confirm_resize(self, context: RequestContext, instance: objects.Instance) -> None:
        """Keep a resized server as it is now; its old disks go.

        :raises Invalid: nothing waits to be confirmed.
        :raises Conflict: the server's lock or state.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.CONFIRM_RESIZE, current)
            if not migration_records.advance(connection, current.uuid, "confirming", ("finished",)):
                raise exceptions.Invalid("Instance has not been resized.")
            self._journal(connection, context, current, states.CONFIRM_RESIZE, {})
        self._poke(current.host)

    def revert_resize(self, context: RequestContext, instance: objects.Instance) -> None:
        """Make a resized server what it was.

        :raises Invalid: nothing waits to be reverted.
        :raises OverQuota: the old flavor is larger, and the project may not have that much more.
        :raises Conflict: the server's lock or state.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.REVERT_RESIZE, current)
            old = old_flavor(current)
            if old is None or not migration_records.advance(connection, current.uuid, "reverting", ("finished",)):
                raise exceptions.Invalid("Instance has not been resized.")
            self.database.lock(connection, f"quota:{current.project_id}")
            quotas.check_more(connection, self.conf, current, _difference(current.flavor, old))
            args = {"vm_state": current.system_metadata["old_vm_state"]}
            self._journal(connection, context, current, states.REVERT_RESIZE, args)
        self._poke(current.host)


def confirm_old(database: Database, host: str, window: int) -> int:
    """Accept the confirmation of every resize on a host that nobody confirmed or reverted for ``window`` seconds; how
    many there were."""
    with database.read() as connection:
        due = migration_records.finished_before(connection, host, now() - timedelta(seconds=window))
    accepted = 0
    for uuid in due:
        with database.write() as connection:
            current = db_instances.get(connection, uuid, for_update=True)
            if current is None or current.vm_state != "resized" or current.task_state is not None:
                continue
            if not migration_records.advance(connection, uuid, "confirming", ("finished",)):
                continue
            row: dict[str, Any] = {
                "uuid": str(uuidlib.uuid4()),
                "instance_uuid": uuid,
                "action": states.CONFIRM_RESIZE.action,
                "host": host,
                "state": "pending",
                "request_id": f"req-{uuidlib.uuid4()}",
                "user_id": None,
                "project_id": current.project_id,
                "message": None,
                "args": {},
            }
            db_operations.insert(connection, row)
            accepted += 1
    return accepted


def old_flavor(instance: objects.Instance) -> objects.Flavor | None:
    """What a resized server had before."""
    document = instance.system_metadata.get("old_flavor")
    return objects.Flavor(**document) if document else None


def forgetting(instance: objects.Instance) -> dict[str, Any]:
    """What a server remembers but for how it was before it was resized."""
    own = ("old_flavor", "old_devices", "old_vm_state")
    return {name: value for name, value in instance.system_metadata.items() if name not in own}


def devices_of(
    connection: Connection, devices: list[objects.BlockDevice], old: objects.Flavor, new: objects.Flavor
) -> list[objects.BlockDevice]:
    """A server's disks with another flavor: the root disk grows, and the ephemeral disk that was all that the flavor
    gave; swap space is made anew. Volumes are what they were.

    :raises Invalid: a disk would have to become smaller, or is too small for the image.
    """
    ephemeral = [device for device in devices if device.is_ephemeral]
    if sum(device.size for device in ephemeral) > new.ephemeral_gb * _GIB:
        raise CannotResizeDisk("Unable to resize disk down.")
    found = []
    for device in devices:
        image = db_images.get(connection, device.image_id) if device.image_id is not None else None
        if device.boot_index == 0 and image is not None:
            size = block_devices.root_size(new, image)
            if size < device.size:
                raise CannotResizeDisk("Unable to resize disk down.")
            found.append(replace(device, size=size))
        elif device.is_swap:
            if new.swap:
                found.append(replace(device, size=new.swap * _MIB))
        elif device.is_ephemeral and len(ephemeral) == 1 and device.size == old.ephemeral_gb * _GIB:
            found.append(replace(device, size=new.ephemeral_gb * _GIB))
        else:
            found.append(device)
    if new.ephemeral_gb and not ephemeral:
        found.append(_blank(found, new.ephemeral_gb * _GIB))
    if new.swap and not any(device.is_swap for device in found):
        found.append(_blank(found, new.swap * _MIB, "swap"))
    return found


def _blank(devices: list[objects.BlockDevice], size: int, form: str | None = None) -> objects.BlockDevice:
    name = block_devices.free_name(devices)
    return objects.BlockDevice(str(uuidlib.uuid4()), "blank", "local", size, device_name=name, guest_format=form)


def _check_flavor(connection: Connection, instance: objects.Instance, flavor: objects.Flavor) -> None:
    """Invalid, in Nova's words, for a flavor that the server cannot have."""
    old = instance.flavor
    devices = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
    if flavor.root_gb == 0 and old.root_gb != 0 and instance.image_ref:
        raise CannotResizeDisk("Resize to zero disk flavor is not allowed.")
    if flavor.flavorid == old.flavorid:
        raise exceptions.Invalid("When resizing, instances must change flavor!")
    image = db_images.get(connection, ServerDisks.image_of(connection, instance))
    if image is not None and image.min_ram > flavor.memory_mb:
        raise exceptions.Invalid("Flavor's memory is too small for requested image.")
    if len(devices_of(connection, devices, old, flavor)) > block_devices.MOST_DISKS:
        raise CannotResizeDisk("The server would have too many disks.")


def _difference(old: objects.Flavor, new: objects.Flavor) -> dict[str, int]:
    """What the second has more of than the first, as quotas name it."""
    return {"cores": new.vcpus - old.vcpus, "ram": new.memory_mb - old.memory_mb}


def _record(
    connection: Connection,
    context: RequestContext,
    instance: objects.Instance,
    kind: str,
    status: str,
    flavor: objects.Flavor,
) -> dict[str, Any]:
    """A record of what was asked for, to be written."""
    old, new = db_flavors.get(connection, instance.flavor.flavorid), db_flavors.get(connection, flavor.flavorid)
    node = next((node for node in db_hosts.list_nodes(connection) if node.host == instance.host), None)
    return {
        "instance_uuid": instance.uuid,
        "migration_type": kind,
        "status": status,
        "source_compute": instance.host,
        "dest_compute": instance.host,
        "dest_host": node.host_ip if node is not None else None,
        "old_flavor_id": old.id if old is not None else None,
        "new_flavor_id": new.id if new is not None else None,
        "user_id": context.user_id,
        "project_id": context.project_id,
    }
