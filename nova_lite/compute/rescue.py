"""Rescue: a server whose own disk does not boot gets a machine that boots another one, with its own beside it."""

from __future__ import annotations

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.compute.server_disks import RESCUE_IMAGE, ServerDisks
from nova_lite.context import RequestContext
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import images as db_images
from nova_lite.db import instances as db_instances
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Connection


class InstanceNotRescuable(exceptions.Invalid):
    def __init__(self, instance_id: str, reason: str) -> None:
        super().__init__(f"Instance {instance_id} cannot be rescued: {reason}")


class RescueVerbs(AcceptingVerbs):
    """POST /servers/{server_id}/action (rescue, unrescue)."""

    def rescue(
        self, context: RequestContext, instance: objects.Instance, image_ref: str | None, allow_volume_backed: bool
    ) -> None:
        """Boot another image, by default the server's own, with the server's disks after its disk.

        :param allow_volume_backed: also a server whose root is a volume, if the image's properties say on what device
            it is to be rescued.
        :raises Invalid: there is no such image, or the server boots from a volume.
        :raises Conflict: the server's lock or state.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.RESCUE, current)
            if image_ref:
                self.database.lock(connection, f"image:{image_ref}")
                image = _usable(connection, context, image_ref)
            else:
                own = ServerDisks.image_of(connection, current)
                found = db_images.get(connection, own)
                if found is None:
                    raise exceptions.Conflict(f"The image of instance {current.uuid} is no longer there.")
                image = found
            if not current.image_ref:
                stable = {"hw_rescue_bus", "hw_rescue_device"} <= image.properties.keys()
                if not (allow_volume_backed and stable):
                    raise InstanceNotRescuable(current.uuid, "Cannot rescue a volume-backed instance")
            _check_volumes(connection, current)
            remembered = current.system_metadata | {RESCUE_IMAGE: image.id}
            db_instances.update(connection, current.uuid, {"system_metadata": remembered})
            self._journal(connection, context, current, states.RESCUE, {"vm_state": current.vm_state})
        self._poke(current.host)

    def unrescue(self, context: RequestContext, instance: objects.Instance) -> None:
        """Boot a rescued server as its own again."""
        self._accept(context, instance, states.UNRESCUE)


def _usable(connection: Connection, context: RequestContext, image_ref: str) -> objects.Image:
    image = db_images.get(connection, image_ref)
    visible = image is not None and image.seen_by(context.project_id, bool(context.is_admin))
    if image is None or not visible or image.status != "active":
        raise exceptions.Invalid(f"Requested rescue image '{image_ref}' is not supported")
    return image


def _check_volumes(connection: Connection, instance: objects.Instance) -> None:
    """Nobody may be in the middle of taking or giving one."""
    for device in db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, []):
        volume = db_volumes.get(connection, device.volume_id) if device.volume_id else None
        if volume is not None and volume.status != "in-use":
            raise exceptions.Conflict(
                f"Invalid volume: Volume id: {volume.uuid} is not in-use; its status is {volume.status}."
            )
