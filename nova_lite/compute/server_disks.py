"""What a server's rows of block devices are on this host: files, and the images below them."""

from __future__ import annotations

import struct
import uuid as uuidlib

from nova_lite import objects
from nova_lite.compute.images import ImageStore
from nova_lite.conf import Paths
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import images as db_images
from nova_lite.db.engine import Connection
from nova_lite.hv.driver import DiskSpec, DriverError

_PAGE = 4096


class ServerDisks:
    """The disks of servers on this host."""

    def __init__(self, paths: Paths, images: ImageStore) -> None:
        self._paths, self._images = paths, images

    def specs(self, connection: Connection, instance: objects.Instance) -> tuple[DiskSpec, ...]:
        """A server's disks in its guest's order.

        :raises DriverError: the image of one is no longer there.
        """
        devices = db_block_devices.of_servers(connection, [instance.uuid]).get(instance.uuid, [])
        return tuple(self._spec(connection, device) for device in devices)

    def _spec(self, connection: Connection, device: objects.BlockDevice) -> DiskSpec:
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


def swap_header(size: int, identity: str) -> bytes:
    """The first page of swap space of that many bytes, as mkswap writes it (Linux, union swap_header, version 1)."""
    fields = struct.pack("<III16s", 1, size // _PAGE - 1, 0, uuidlib.UUID(identity).bytes)
    return bytes(1024) + fields.ljust(_PAGE - 1024 - 10, b"\0") + b"SWAPSPACE2"
