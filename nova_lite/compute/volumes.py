"""Volumes of servers, as controllers see them: os-volume_attachments.

A volume belongs to a server from the transaction that accepts the attachment to the one in which the agent has found
that the server's machine has let go of it: its row in ``block_device_mapping`` says so, its status how far it has come.
"""

from __future__ import annotations

import re
import uuid as uuidlib
from collections.abc import Iterable
from dataclasses import replace

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import block_devices, states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import operations as db_operations
from nova_lite.db import volume_snapshots as db_volume_snapshots
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.volumes.store import GIB, check_size

_DEVICE = re.compile(r"(/dev/x?[a-z]?d?)[a-z]+[0-9]*")


class InvalidVolume(exceptions.Invalid):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid volume: {reason}")


class VolumeVerbs(AcceptingVerbs):
    """/servers/{server_id}/os-volume_attachments."""

    conf: cfg.ConfigOpts

    def volume_attachments(
        self, context: RequestContext, server_ids: Iterable[str]
    ) -> dict[str, list[objects.BlockDevice]]:
        """The volumes of each of these servers, by server id, in the guest's order."""
        with self.database.read() as connection:
            return db_block_devices.volumes_of(connection, server_ids)

    def is_attached(self, volume_id: str) -> bool:
        """Whether any server, of whatever project, has it."""
        with self.database.read() as connection:
            return volume_id in db_volumes.attachments(connection, [volume_id])

    def volume_attachment(
        self, context: RequestContext, instance: objects.Instance, volume_id: str
    ) -> objects.BlockDevice:
        """One of them. NotFound when the server does not have that volume."""
        for device in self.volume_attachments(context, [instance.uuid]).get(instance.uuid, []):
            if device.volume_id == volume_id:
                return device
        raise exceptions.NotFound(f"Instance {instance.uuid} is not attached to volume {volume_id}")

    def attach_volume(
        self,
        context: RequestContext,
        instance: objects.Instance,
        volume_id: str,
        device: str | None = None,
        tag: str | None = None,
        delete_on_termination: bool = False,
    ) -> objects.BlockDevice:
        """Give a server a volume: at once where its guest runs, else from its next boot on.

        :param device: must look like a device; the guest names its disks by itself, so it is not heeded.
        :raises NotFound: there is no such volume for the caller.
        :raises Invalid: it is not available, or lies on another host.
        :raises Forbidden: the server has as many disks as it can have.
        :raises Conflict: the server's state does not allow it, or it is locked.
        """
        if device and not _DEVICE.fullmatch(device):
            raise exceptions.Invalid(f"The supplied device path ({device}) is invalid.")
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.ATTACH_VOLUME, current)
            volume = usable_volume(connection, context, volume_id)
            if volume.host != (current.host or current.system_metadata.get(states.SHELVED_HOST)):
                raise InvalidVolume(f"volume {volume_id} lies on another host than the server.")
            devices = db_block_devices.of_servers(connection, [current.uuid]).get(current.uuid, [])
            if len(devices) >= block_devices.MOST_DISKS:
                raise exceptions.Forbidden(
                    f"The maximum allowed number of disk devices ({block_devices.MOST_DISKS}) to attach to a single "
                    "instance has been exceeded."
                )
            attached = objects.BlockDevice(
                uuid=str(uuidlib.uuid4()),
                source_type="volume",
                destination_type="volume",
                size=volume.size_gb << 30,
                device_name=block_devices.free_name(devices),
                delete_on_termination=delete_on_termination,
                tag=tag,
                volume_id=volume_id,
                attachment_id=str(uuidlib.uuid4()),
                instance_uuid=current.uuid,
            )
            db_block_devices.insert(connection, [attached])
            if current.vm_state == "shelved_offloaded":
                db_volumes.update(connection, volume_id, status="in-use")
                self._record(connection, context, current, states.ATTACH_VOLUME, volume_id)
            else:
                db_volumes.update(connection, volume_id, status="attaching")
                self._journal(connection, context, current, states.ATTACH_VOLUME, {"volume_id": volume_id})
        self._poke(current.host)
        return attached

    def update_volume_attachment(
        self, context: RequestContext, instance: objects.Instance, volume_id: str, delete_on_termination: bool | None
    ) -> None:
        """Say whether a volume goes with its server; None leaves it as it is."""
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            if not db_block_devices.set_of_volume(connection, current.uuid, volume_id, delete_on_termination):
                raise exceptions.NotFound(f"No volume Block Device Mapping with id {volume_id}.")

    def swap_volume(self, context: RequestContext, instance: objects.Instance, volume_id: str, new_id: str) -> None:
        """For a volume that is being migrated, of which there is none here: Conflict.

        :raises NotFound: the server does not have ``volume_id``.
        """
        self.volume_attachment(context, instance, volume_id)
        raise exceptions.Conflict(
            f"volume {volume_id} is not migrating; this API should only be called by Cinder"
        )

    def detach_volume(self, context: RequestContext, instance: objects.Instance, volume_id: str) -> None:
        """Take a volume back, when the guest has let go of it; asked again, the guest is asked again.

        :raises NotFound: the server does not have it.
        :raises Forbidden: it is the server's root disk.
        :raises Conflict: the server's state does not allow it, or it is locked.
        :raises Invalid: it is still being attached.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.DETACH_VOLUME, current)
            devices = db_block_devices.of_servers(connection, [current.uuid]).get(current.uuid, [])
            found = next((device for device in devices if device.volume_id == volume_id), None)
            if found is None:
                raise exceptions.NotFound(f"Instance {current.uuid} is not attached to volume {volume_id}")
            if found.boot_index == 0:
                raise exceptions.Forbidden("Cannot detach a root device volume")
            volume = db_volumes.get(connection, volume_id, for_update=True)
            if volume is None or volume.status not in ("in-use", "detaching"):
                status = volume.status if volume else "gone"
                raise InvalidVolume(
                    f"Unable to detach volume. Volume status must be 'in-use' to detach. It is '{status}'."
                )
            if volume.status == "detaching" and db_operations.is_outstanding(
                connection, current.uuid, states.DETACH_VOLUME.action
            ):
                return
            if current.vm_state == "shelved_offloaded":
                db_block_devices.delete(connection, found.uuid)
                db_volumes.update(connection, volume_id, status="available")
                self._record(connection, context, current, states.DETACH_VOLUME, volume_id)
            else:
                db_volumes.update(connection, volume_id, status="detaching")
                self._journal(connection, context, current, states.DETACH_VOLUME, {"volume_id": volume_id})
        self._poke(current.host)

    def _record(
        self,
        connection: Connection,
        context: RequestContext,
        instance: objects.Instance,
        verb: states.Verb,
        volume_id: str,
    ) -> None:
        """Write down what was done to a server that has no machine, and so took no work."""
        operation = self._journal(connection, context, instance, verb, {"volume_id": volume_id}, state="done")
        db_operations.record_event(connection, operation, f"compute_{verb.action}", None, "Success")


def usable_volume(connection: Connection, context: RequestContext, volume_id: str) -> objects.Volume:
    """A volume that can be given to a server, its row held until the transaction ends.

    :raises NotFound: there is none for the caller.
    :raises Invalid: somebody has it.
    """
    volume = db_volumes.get(connection, volume_id, for_update=True)
    if volume is None or not (context.is_admin or volume.project_id == context.project_id):
        raise exceptions.VolumeNotFound(volume_id)
    if volume.status != "available":
        raise InvalidVolume(f"volume '{volume_id}' status must be 'available'. Currently in '{volume.status}'")
    return volume


def of_new_server(
    connection: Connection,
    context: RequestContext,
    devices: list[objects.BlockDevice],
    max_count: int,
    image_ref: str | None,
) -> list[objects.BlockDevice]:
    """The volumes among a new server's disks, looked at: those that there are with their sizes.

    :param image_ref: the image that the request names; beside one, an empty volume may be the root, as with Nova.
    :raises Invalid: one does not exist for the caller, somebody has it, or several servers would; likewise snapshots
        that volumes are to be made of.
    """
    found = []
    for device in devices:
        if device.source_type == "volume":
            assert device.volume_id is not None
            if max_count > 1:
                raise exceptions.Invalid("Cannot attach one or more volumes to multiple instances")
            try:
                volume = usable_volume(connection, context, device.volume_id)
            except exceptions.VolumeNotFound as error:
                raise block_devices.InvalidBDM(f"failed to get volume {device.volume_id}.") from error
            if device.boot_index == 0 and not volume.bootable and not image_ref:
                raise exceptions.Invalid(f"Block Device {device.volume_id} is not bootable.")
            device = replace(device, size=volume.size_gb * GIB)
        elif device.source_type == "snapshot":
            device = _of_snapshot(connection, context, device)
        elif device.destination_type == "volume":
            check_size(device.size // GIB, None)
        found.append(device)
    if len({device.volume_id for device in found if device.volume_id}) < len([d for d in found if d.volume_id]):
        raise block_devices.InvalidBDM("a volume is listed twice.")
    return found


def _of_snapshot(
    connection: Connection, context: RequestContext, device: objects.BlockDevice
) -> objects.BlockDevice:
    """A volume that is to be made of a snapshot, at least of its size."""
    snapshot = db_volume_snapshots.get(connection, str(device.snapshot_id))
    known = snapshot is not None and (context.is_admin or snapshot.project_id == context.project_id)
    if snapshot is None or not known or snapshot.status != "available":
        raise block_devices.InvalidBDM(f"failed to get snapshot {device.snapshot_id}.")
    if device.boot_index == 0 and snapshot.image_id is None:
        raise exceptions.Invalid(f"Block Device {snapshot.volume_id} is not bootable.")
    size = device.size or snapshot.size_gb * GIB
    check_size(size // GIB, None)
    if size < snapshot.size_gb * GIB:
        raise InvalidVolume(f"of {size // GIB} GiB it would be smaller than snapshot {snapshot.uuid} of it.")
    return replace(device, size=size, image_id=snapshot.image_id)


def boot_image(connection: Connection, devices: list[objects.BlockDevice], image_ref: str) -> str:
    """The id of the image that a new server boots: its root volume's, or its own; "" where there is none."""
    for device in devices:
        if device.boot_index == 0 and device.destination_type == "volume":
            volume = db_volumes.get(connection, device.volume_id) if device.volume_id else None
            return (volume.image_id if volume is not None else device.image_id) or image_ref
    return image_ref


def take(connection: Connection, instance: objects.Instance, devices: list[objects.BlockDevice]) -> None:
    """Write the disks of a server that has been given its host: its volumes are its own from now on."""
    for device in devices:
        device.uuid, device.instance_uuid = str(uuidlib.uuid4()), instance.uuid
        if device.destination_type != "volume":
            continue
        device.attachment_id = str(uuidlib.uuid4())
        if device.volume_id is not None:
            db_volumes.update(connection, device.volume_id, status="attaching")
            continue
        at = now()
        snapshot = db_volume_snapshots.get(connection, device.snapshot_id) if device.snapshot_id else None
        made = objects.Volume(
            uuid=str(uuidlib.uuid4()),
            host=instance.host,
            project_id=instance.project_id,
            name="",
            size_gb=device.size // GIB,
            status="creating",
            created_at=at,
            updated_at=at,
            user_id=instance.user_id,
            image_id=device.image_id,
            image_metadata=dict(snapshot.image_metadata) if snapshot is not None else {},
            snapshot_id=device.snapshot_id,
        )
        db_volumes.insert(connection, made)
        device.volume_id, device.image_id = made.uuid, None
    db_block_devices.insert(connection, devices)
