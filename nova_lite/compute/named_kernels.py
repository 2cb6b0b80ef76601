"""What servers boot whose image names other images as kernel and ramdisk (Glance's ami, aki and ari)."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace

from nova_lite import objects
from nova_lite.compute.images import KERNEL_ID, ImageStore
from nova_lite.db import images as db_images
from nova_lite.db.engine import Connection
from nova_lite.hv.driver import DriverError

RAMDISK_ID = "ramdisk_id"
_CMDLINE = "root=/dev/vda console=ttyS0"


def resolved(connection: Connection, store: ImageStore, image: objects.Image, project_id: str) -> objects.Image:
    """An image as its servers boot it.

    The files are linked into the image's own folder when they are needed first: they stay as long as it does.

    :param project_id: the server's, which must be allowed to use them.
    :raises DriverError: there is no such image.
    """
    if not image.properties.get(KERNEL_ID):
        return image
    kernel, kernel_format = _linked(connection, store, image, KERNEL_ID, project_id)
    initramfs = None
    if image.properties.get(RAMDISK_ID):
        initramfs = _linked(connection, store, image, RAMDISK_ID, project_id)[0]
    cmdline = image.properties.get("os_command_line") or _CMDLINE
    return replace(image, kernel=kernel, kernel_format=kernel_format, initramfs=initramfs, cmdline=cmdline)


def _linked(
    connection: Connection, store: ImageStore, image: objects.Image, name: str, project_id: str
) -> tuple[str, str]:
    """File and kernel format of the image that a property names."""
    other_id = image.properties[name]
    folder = store.folder(image.id)
    for path in folder.glob(f"{name}.*"):
        if path.name.split(".")[1] == other_id:
            return path.name, path.suffix[1:]
    other = db_images.get(connection, other_id)
    file = (other.kernel if name == KERNEL_ID else other.initramfs) if other is not None else None
    if other is None or not file or other.status != "active" or not other.seen_by(project_id, False):
        raise DriverError(f"The image {other_id[:80]} that {name} names is not there, or is none for that.")
    link = f"{name}.{other_id}.{other.kernel_format or 'initramfs'}"
    try:
        with contextlib.suppress(FileExistsError):
            os.link(store.folder(other.id) / file, folder / link)
    except OSError as error:
        raise DriverError(f"The kernel of image {image.id} cannot be had: {error.strerror}.") from error
    return link, other.kernel_format
