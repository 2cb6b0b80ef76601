"""Images of servers, as controllers see them: createImage and createBackup."""

from __future__ import annotations

import uuid as uuidlib
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import images as db_images
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.volumes.store import GIB


class SnapshotVerbs(AcceptingVerbs):
    """POST /servers/{server_id}/action (createImage, createBackup)."""

    conf: cfg.ConfigOpts

    def create_image(
        self,
        context: RequestContext,
        instance: objects.Instance,
        name: str,
        metadata: dict[str, str] | None = None,
        image_id: str | None = None,
    ) -> str:
        """Make an image of a server's root disk; the image's id. It is ``saving`` until it can be booted.

        :param image_id: which it shall have; None makes one up.
        :raises Conflict: the server's state does not allow it; a lock does, as it protects from changes alone.
        """
        return self._image_of(context, instance, name, dict(metadata or {}), states.CREATE_IMAGE, {}, {}, image_id)

    def create_backup(
        self,
        context: RequestContext,
        instance: objects.Instance,
        name: str,
        backup_type: str,
        rotation: int,
        metadata: dict[str, str] | None = None,
        image_id: str | None = None,
    ) -> str:
        """As ``create_image``; of the backups of that type the newest ``rotation`` stay, when there is a new one.

        :raises Invalid: the server's root disk is a volume.
        """
        if not instance.image_ref:
            raise exceptions.Invalid("Backup is not supported for volume-backed instances.")
        kind = {"image_type": "backup", "backup_type": backup_type}
        args = {"backup_type": backup_type, "rotation": rotation}
        return self._image_of(context, instance, name, dict(metadata or {}), states.CREATE_BACKUP, kind, args, image_id)

    def _image_of(
        self,
        context: RequestContext,
        instance: objects.Instance,
        name: str,
        metadata: dict[str, str],
        verb: states.Verb,
        kind: dict[str, str],
        args: dict[str, Any],
        image_id: str | None,
    ) -> str:
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check(verb, current)
            said = _maker(context) | kind
            image_id = insert_image(connection, current, name, metadata, said, image_id)
            self._journal(connection, context, current, verb, {"image_id": image_id, **args})
        self._poke(current.host)
        return image_id


def insert_image(
    connection: Connection,
    instance: objects.Instance,
    name: str,
    metadata: dict[str, str],
    kind: dict[str, str],
    image_id: str | None = None,
) -> str:
    """Write the row of an image that is to be made of a server's root disk; its id, ``image_id`` if that is given.
    ``kind``: properties that say what it is, beside a snapshot."""
    devices = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
    root = next((device for device in devices if device.boot_index == 0), None)
    origin = _origin(connection, instance, root)
    size = root.size if root is not None else 0
    said = {
        "image_type": "snapshot",
        "owner_id": instance.project_id,
        "image_location": "snapshot",
        "image_state": "available",
    }
    own = {"instance_uuid": instance.uuid, "base_image_ref": origin.id} | kind  # what work goes by
    at = now()
    image = objects.Image(
        id=image_id or str(uuidlib.uuid4()),
        name=name,
        kernel=origin.kernel,
        kernel_format=origin.kernel_format,
        size=0,
        status=db_images.SAVING,
        visibility="private",
        project_id=instance.project_id,
        min_disk=max(origin.min_disk, -(-size // GIB)),
        min_ram=origin.min_ram,
        initramfs=origin.initramfs,
        cmdline=origin.cmdline,
        container_format="bare",
        disk_format="raw",
        properties=origin.properties | said | metadata | own,
        created_at=at,
        updated_at=at,
    )
    db_images.insert(connection, image, instance.host)
    return image.id


def _maker(context: RequestContext) -> dict[str, str]:
    """What Nova notes of who has an image made."""
    known = {
        "user_id": context.user_id,
        "owner_user_name": context.user_name,
        "owner_project_name": context.project_name,
        "boot_roles": ",".join(context.roles),
    }
    return {name: value for name, value in known.items() if value}


def _origin(connection: Connection, instance: objects.Instance, root: objects.BlockDevice | None) -> objects.Image:
    """The image that the server boots."""
    image_id = instance.image_ref
    if not image_id and root is not None and root.volume_id is not None:
        volume = db_volumes.get(connection, root.volume_id)
        image_id = (volume.image_id if volume is not None else None) or ""
    image = db_images.get(connection, image_id) if image_id else objects.NO_IMAGE
    if image is None:
        raise exceptions.Conflict(f"The image of instance {instance.uuid} is no longer there.")
    return image
