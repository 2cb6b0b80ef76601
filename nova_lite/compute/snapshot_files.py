"""The agent's part in images of servers: a cut of the root disk at one moment, and an image made of it.

The cut is a copy of what the server has written (its overlay, or its volume), as it is when its machine stands still
with nothing under way for a moment. The guest goes on while the cut becomes a disk of its own.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from pathlib import Path

from nova_lite import exceptions, objects
from nova_lite.compute import image_data, live_copy, states
from nova_lite.compute.images import DISK, ImageStore
from nova_lite.db import images as db_images
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection, Database
from nova_lite.db.times import now
from nova_lite.disks import overlay, overlay_format
from nova_lite.disks.overlay_format import OverlayError
from nova_lite.hv import server_disks
from nova_lite.hv.driver import DiskSpec, Driver, DriverError, MachineSpec, PowerState

LOG = logging.getLogger(__name__)

_CUT = "cut"


class Snapshots:
    """Of the servers of one host."""

    def __init__(self, database: Database, driver: Driver, images: ImageStore) -> None:
        self._database, self._driver, self._images = database, driver, images

    def cut(self, instance: objects.Instance, spec: MachineSpec, operation: objects.Operation) -> None:
        """Copy the root disk as it is at one moment.

        :raises DriverError: there is no space, or the machine does not answer.
        """
        folder = self._images.beside(str(operation.args["image_id"]))
        if self._wanted(operation) is None:
            return
        shutil.rmtree(folder, ignore_errors=True)  # of an attempt that was cut off
        root = _root(spec)
        try:
            folder.mkdir(mode=0o700, parents=True)
            if root is None or self._is_untouched(root):
                return
            server_disks.check(root)
            with open(folder / _CUT, "wb+") as target:
                live_copy.copy_disk(
                    self._driver,
                    instance.uuid,
                    root.device_name,
                    root.path,
                    target.fileno(),
                    instance.vm_state == "active",
                    _data_offset(root),
                )
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise DriverError(_sentence(error)) from error

    def _wanted(self, operation: objects.Operation) -> objects.Image | None:
        """The image that is to be, unless it is there already or nobody wants it any more."""
        with self._database.read() as connection:
            image = db_images.get(connection, str(operation.args["image_id"]))
        return image if image is not None and image.status == db_images.SAVING else None

    def _is_untouched(self, root: DiskSpec) -> bool:
        """Whether nobody writes to the disk, as it has no file: it is its image's."""
        return not self._driver.makes_disks and not root.path.exists() and root.backing is not None

    def go_on(self, instance: objects.Instance) -> None:
        """After a failure: an active server's machine runs."""
        if instance.vm_state != "active":
            return
        try:
            if self._driver.info(instance.uuid).power_state is PowerState.PAUSED:
                self._driver.resume(instance.uuid)
        except DriverError as error:
            LOG.error("The machine of server %s cannot go on: %s", instance.uuid, error)

    def finish(self, spec: MachineSpec, operation: objects.Operation) -> None:
        """Make an image of the cut and write what it is.

        :raises DriverError: there is no space, or a file of the server's is damaged.
        """
        image_id = str(operation.args["image_id"])
        folder, root = self._images.beside(image_id), _root(spec)
        image = self._wanted(operation)
        if image is None:
            shutil.rmtree(folder, ignore_errors=True)
            return
        with self._database.read() as connection:
            origin = db_images.get(connection, image.properties["base_image_ref"])
        if origin is None:
            raise DriverError("The image that the server was made of is no longer there.")
        try:
            if root is not None and root.backing is not None and self._is_untouched(root):
                os.link(root.backing, folder / DISK)
            elif root is not None:
                _export(folder / _CUT, root, folder / DISK)
            made = self._images.complete(image, origin)
        except OverlayError as error:
            raise DriverError(f"The server's disk cannot be read: {error}") from error
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise DriverError(_sentence(error)) from error
        except exceptions.Invalid as error:
            raise DriverError(str(error)) from error
        with self._database.write() as connection:
            values = {name: getattr(made, name) for name in _WRITTEN}
            db_images.update(connection, image_id, **values, status="active", updated_at=now())

    def rotate(self, instance: objects.Instance, operation: objects.Operation) -> None:
        """Remove the oldest backups, as far as there are more than wished.

        :raises DriverError: their files cannot be deleted.
        """
        wanted = {"image_type": "backup", "instance_uuid": instance.uuid, "backup_type": operation.args["backup_type"]}
        with self._database.read() as connection:
            images = db_images.of_host(connection, instance.host)
        backups = [one for one in images if one.status == "active" and wanted.items() <= one.properties.items()]
        keep = int(str(operation.args["rotation"]))
        try:
            for image in backups[: len(backups) - keep]:
                self._images.remove(image.id)
        except exceptions.ImageNotFound:
            LOG.info("A backup of server %s was removed by somebody else", instance.uuid)
        except OSError as error:
            raise DriverError(f"An old backup cannot be removed: {error.strerror}.") from error

    def purge(self, host: str) -> None:
        """Images that nobody is making any more are not going to be; what there is of their files goes."""
        with self._database.write() as connection:
            wanted = [
                args
                for verb in (states.CREATE_IMAGE, states.CREATE_BACKUP, states.SHELVE)
                for args in db_operations.outstanding_args(connection, host, verb.action)
            ]
            kept = {str(args.get("image_id")) for args in wanted}
            for image in db_images.of_host(connection, host):
                if image.status == db_images.SAVING and image.data is not None:
                    image_data.recover(connection, self._images, image)
                elif image.status == db_images.SAVING and image.id not in kept:
                    db_images.update(connection, image.id, status=db_images.KILLED, updated_at=now())
                    shutil.rmtree(self._images.beside(image.id), ignore_errors=True)


_WRITTEN = ("kernel", "kernel_format", "initramfs", "cmdline", "disk", "disk_format", "virtual_size", "size", "data")


def ended(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    """An image that could not be made stays on the list, as such."""
    image = db_images.get(connection, str(operation.args.get("image_id")))
    if not succeeded and image is not None and image.status == db_images.SAVING:
        db_images.update(connection, image.id, status=db_images.KILLED, updated_at=now())


def _data_offset(disk: DiskSpec) -> int:
    if disk.format == "raw":
        return 0
    try:
        with open(disk.path, "rb") as file:
            return overlay_format.read_header(file.fileno(), disk.path).data_offset
    except OverlayError as error:
        raise DriverError(f"The server's disk cannot be read: {error}") from error


def _root(spec: MachineSpec) -> DiskSpec | None:
    return next((disk for disk in spec.disks if disk.boot_index == 0), None)


def _export(cut: Path, root: DiskSpec, target: Path) -> None:
    if root.format == "raw":
        cut.rename(target)
    else:
        with overlay.open_view(cut, root.backing) as view:
            view.export(target)
        cut.unlink()
    target.chmod(0o400)


def _sentence(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The image cannot be made: the host has no space left for it. The server is as it was."
    return f"The image cannot be made: {error.strerror or os.strerror(error.errno or errno.EIO)}."
