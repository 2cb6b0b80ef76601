"""Rebuild: a server begins anew from an image, with its id, addresses, volumes and place on the host."""

from __future__ import annotations

import uuid as uuidlib
from dataclasses import replace
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import block_devices, create, quotas, states
from nova_lite.compute.accepting import AcceptingVerbs
from nova_lite.context import RequestContext
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import images as db_images
from nova_lite.db import instances as db_instances
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.volumes.store import GIB, check_size


class RebuildVerbs(AcceptingVerbs):
    """POST /servers/{server_id}/action (rebuild)."""

    conf: cfg.ConfigOpts

    def rebuild(
        self,
        context: RequestContext,
        instance: objects.Instance,
        image_ref: str,
        changes: dict[str, Any],
        *,
        preserve_ephemeral: bool = False,
        reimage_boot_volume: bool = False,
    ) -> objects.Instance:
        """Start a server again from an image; all that its own disks hold is lost. A stopped server stays stopped.

        :param changes: what else is to be different, by name; absent is as it was: ``display_name``,
            ``display_description``, ``metadata``, ``key_name`` (None: no key), ``user_data``, ``hostname``,
            ``access_ip_v4``, ``access_ip_v6``, ``disk_config``, ``injected_files``, ``trusted_image_certificates``.
        :param preserve_ephemeral: the ephemeral disks keep what they hold.
        :param reimage_boot_volume: a root that is a volume is written anew; else only its own image can be asked for.
        :returns: the server as it now is, rebuilding.
        :raises Invalid: image, key or user data cannot be used, or do not go with the server.
        :raises OverQuota: there are too many metadata items or files.
        :raises Conflict: the server's lock or state.
        """
        with self.database.write() as connection:
            current = self._lock_row(connection, instance)
            states.check_lock(current, bool(context.is_admin))
            states.check(states.REBUILD, current)
            columns = self._columns(connection, context, changes)
            self.database.lock(connection, f"image:{image_ref}")
            image = _image(connection, context, image_ref, current.flavor)
            devices = db_block_devices.of_servers(connection, [current.uuid]).get(current.uuid, [])
            root = next((device for device in devices if device.boot_index == 0), None)
            args: dict[str, Any] = {"vm_state": current.vm_state, "preserve_ephemeral": preserve_ephemeral}
            args["lost"] = [
                device.device_name.removeprefix("/dev/")
                for device in devices
                if device.volume_id is None and not (preserve_ephemeral and device.is_ephemeral)
            ]
            if current.image_ref:
                devices = _devices(current, devices, root, image)
                db_block_devices.replace_all(connection, current.uuid, devices)
                first = next((device for device in devices if device.boot_index == 0), None)
                columns |= {"image_ref": image.id, "root_device_name": first.device_name if first else None}
            else:
                args["volume_id"] = _check_root_volume(connection, root, image, reimage_boot_volume)
            columns["disk_config"] = create.disk_config_of(image.properties, image.id, columns.get("disk_config"))
            columns |= {"image_properties": dict(image.properties), "progress": 0, "updated_at": now()}
            db_instances.update(connection, current.uuid, columns)
            self._journal(connection, context, current, states.REBUILD, args)
            rebuilt = db_instances.get(connection, current.uuid)
        assert rebuilt is not None  # the row was locked by the transaction
        self._poke(current.host)
        return rebuilt

    def _columns(
        self, connection: Connection, context: RequestContext, changes: dict[str, Any]
    ) -> dict[str, Any]:
        """The changes as columns, checked."""
        columns = dict(changes)
        if "key_name" in columns:
            name = columns["key_name"]
            columns["keypair"] = create.usable_keypair(connection, context, name) if name else None
        certificates = columns.get("trusted_image_certificates")
        if certificates:
            raise exceptions.Invalid(
                f"Image signature certificate validation failed for certificate: {certificates[0]}. Signatures of "
                "images are not verified here."
            )
        limits = quotas.limits_of(connection, self.conf, str(context.project_id), context.user_id)
        quotas.check_metadata_items(limits, len(columns.get("metadata") or {}))
        files = columns.get("injected_files") or []
        quotas.check_injected_files(limits, files)
        create.check_texts(columns.get("user_data"), files)
        for name in ("access_ip_v4", "access_ip_v6"):
            if name in columns:
                columns[name] = columns[name] or None
        return columns


def _image(
    connection: Connection, context: RequestContext, image_ref: str, flavor: objects.Flavor
) -> objects.Image:
    found = db_images.get(connection, image_ref)
    visible = found is not None and found.seen_by(context.project_id, bool(context.is_admin))
    if found is None or found.status == db_images.DELETED or not visible:
        raise exceptions.Invalid("Cannot find image for rebuild")
    return create.usable_image(connection, context, image_ref, flavor)


def _devices(
    instance: objects.Instance,
    devices: list[objects.BlockDevice],
    root: objects.BlockDevice | None,
    image: objects.Image,
) -> list[objects.BlockDevice]:
    """The server's disks with a root disk over the image's, or without one where the image has none."""
    size = block_devices.root_size(instance.flavor, image)
    others = [device for device in devices if device is not root]
    if not size:
        return others
    if root is None:
        root = objects.BlockDevice(
            str(uuidlib.uuid4()), "image", "local", size, boot_index=0, instance_uuid=instance.uuid
        )
        root.device_name = block_devices.free_name(others)
    return [replace(root, image_id=image.id, size=size), *others]


def _check_root_volume(
    connection: Connection, root: objects.BlockDevice | None, image: objects.Image, reimage: bool
) -> str | None:
    """The volume that is to be written anew; None where it stays as it is.

    :raises Invalid: it cannot have that image.
    """
    volume = db_volumes.get(connection, root.volume_id or "", for_update=True) if root is not None else None
    if volume is None:
        raise exceptions.Conflict("Unable to find root block device mapping for volume-backed instance.")
    if not reimage:
        if volume.image_id != image.id:
            raise exceptions.Invalid(
                f"Image {image.id} is unacceptable: Unable to rebuild with a different image for a volume-backed "
                "server."
            )
        return None
    if image.disk is None:
        raise exceptions.Invalid(f"Image {image.id} has no disk that a volume could begin with.")
    check_size(root.size // GIB if root is not None else 0, image)
    db_volumes.update(connection, volume.uuid, image_id=image.id)
    return volume.uuid
