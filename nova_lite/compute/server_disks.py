"""What a server's rows of block devices are on this host: files, and the images below them."""

from __future__ import annotations

import struct
import uuid as uuidlib
from dataclasses import replace

from nova_lite import objects
from nova_lite.compute.images import ImageStore
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import images as db_images
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Connection
from nova_lite.hv.driver import DiskSpec, DriverError
from nova_lite.paths import Paths
from nova_lite.volumes.store import VolumeStore

_PAGE = 4096
#: Under which name a server remembers the image that it is rescued with, and that of the disk it then boots.
RESCUE_IMAGE, RESCUE_DISK = "rescue_image_ref", "rescue"


class ServerDisks:
    """The disks of servers on this host."""

    def __init__(self, paths: Paths, images: ImageStore, volumes: VolumeStore) -> None:
        self._paths, self._images, self._volumes = paths, images, volumes

    def specs(self, connection: Connection, instance: objects.Instance) -> tuple[DiskSpec, ...]:
        """A server's disks in its guest's order; without the volumes that are to be taken from it.

        :raises DriverError: the image of one is no longer there.
        """
        devices = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
        own = tuple(self._spec(connection, device) for device in devices if not _leaves(connection, device))
        if not is_in_rescue(instance):
            return own
        return self._rescue_disk(connection, instance) + tuple(replace(disk, boot_index=None) for disk in own)

    @staticmethod
    def over_images(connection: Connection, instance: objects.Instance) -> dict[str, int]:
        """The images that disks of its own lie over, each with the size of the disk in bytes."""
        devices = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
        return {device.image_id: device.size for device in devices if device.image_id and device.volume_id is None}

    def own(self, instance: objects.Instance, name: str) -> DiskSpec:
        """A file of a server's own by the name of its disk, whether or not the server still has that disk."""
        return DiskSpec(name, self._paths.disk(instance.uuid, name), 0)

    def _rescue_disk(self, connection: Connection, instance: objects.Instance) -> tuple[DiskSpec, ...]:
        """What a rescued server boots; nothing where the image is no more than a kernel."""
        image = db_images.get(connection, instance.system_metadata[RESCUE_IMAGE])
        backing = self._images.disk(image) if image is not None else None
        if image is None or backing is None:
            return ()
        path, size = self._paths.disk(instance.uuid, RESCUE_DISK), image.virtual_size or 0
        return (DiskSpec(RESCUE_DISK, path, size, backing=backing, serial=RESCUE_DISK, boot_index=0),)

    def boot_image(self, connection: Connection, instance: objects.Instance) -> str:
        """The id of the image that the server boots now: the one that it is rescued with, or what ``image_of`` says."""
        if is_in_rescue(instance):
            return str(instance.system_metadata[RESCUE_IMAGE])
        return self.image_of(connection, instance)

    @staticmethod
    def image_of(connection: Connection, instance: objects.Instance) -> str:
        """The id of the image that the server's root disk lies over or was made of, else its own."""
        for device in db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, []):
            if device.boot_index != 0:
                continue
            volume = db_volumes.get(connection, device.volume_id) if device.volume_id else None
            if volume is not None:
                return volume.image_id or instance.image_ref
            if device.image_id is not None:
                return device.image_id
        return instance.image_ref

    def of_volume(self, device: objects.BlockDevice) -> DiskSpec:
        """A volume as a machine gets it."""
        assert device.volume_id is not None
        return DiskSpec(
            device_name=device.device_name.removeprefix("/dev/"),
            path=self._volumes.path(device.volume_id),
            size=device.size,
            format="raw",
            serial=device.volume_id[:20],
            boot_index=device.boot_index if device.boot_index >= 0 else None,
        )

    def _spec(self, connection: Connection, device: objects.BlockDevice) -> DiskSpec:
        if device.volume_id is not None:
            return self.of_volume(device)
        backing = None
        if device.image_id is not None:
            image = db_images.get(connection, device.image_id)
            backing = self._images.disk(image) if image is not None else None
            if backing is None:
                raise DriverError(f"The image {device.image_id} of this server's disk is no longer there.")
        name = device.device_name.removeprefix("/dev/")
        return DiskSpec(
            device_name=name,
            path=self._paths.disk(device.instance_uuid, name),
            size=device.size,
            backing=backing,
            serial=device.serial,
            boot_index=device.boot_index if device.boot_index >= 0 else None,
            head=swap_header(device.size, device.uuid) if device.is_swap else b"",
        )


def is_in_rescue(instance: objects.Instance) -> bool:
    """Whether a server is to boot its rescue image now."""
    rescued = instance.task_state == "rescuing" or (
        instance.vm_state == "rescued" and instance.task_state != "unrescuing"
    )
    return rescued and RESCUE_IMAGE in instance.system_metadata


def _leaves(connection: Connection, device: objects.BlockDevice) -> bool:
    volume = db_volumes.get(connection, device.volume_id) if device.volume_id else None
    return volume is not None and volume.status == "detaching"


def swap_header(size: int, identity: str) -> bytes:
    """The first page of swap space of that many bytes, as mkswap writes it (Linux, union swap_header, version 1)."""
    fields = struct.pack("<III16s", 1, size // _PAGE - 1, 0, uuidlib.UUID(identity).bytes)
    return bytes(1024) + fields.ljust(_PAGE - 1024 - 10, b"\0") + b"SWAPSPACE2"
