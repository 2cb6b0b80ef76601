"""The local image store: files below ``<state>/images/<id>/`` and their rows."""

from __future__ import annotations

import logging
import os
import shutil
import uuid as uuidlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from nova_lite import conf as conf_module
from nova_lite import exceptions, objects
from nova_lite.compute import shutdown
from nova_lite.db import images as db_images
from nova_lite.db.engine import Database
from nova_lite.db.times import now
from nova_lite.disks import importer
from nova_lite.disks.boot import find, reader
from nova_lite.objects.image import BOOT

LOG = logging.getLogger(__name__)

# Name, file in nova_lite.hv.guests, format. Their ids are made from their names, so that seeding can be repeated.
SHIPPED = (("counting", "counting.bin", "flat16"), ("interactive", "interactive.elf", "elf64"))
_NAMESPACE = uuidlib.UUID("5b7e6f0e-6d0c-4c5b-9a55-1c1c27c0f0a1")
_ANY_MEMORY = 1 << 40
#: The name of an image's disk in its folder.
DISK = "disk.raw"
#: The name of what was uploaded, where it is none of the other files.
DATA = "data"
#: The property that names the image of the kernel that servers boot.
KERNEL_ID = "kernel_id"
_SECTOR = 512
_GUESTS = Path(__file__).parent.parent / "hv" / "guests"


class Elsewhere(Protocol):
    """Where images are kept for all hosts, if not here. Each method raises Invalid when it cannot be done."""

    def fetch(self, image_id: str) -> None:
        """Bring an image's data here, if it is not."""

    def upload(self, image_id: str) -> None:
        """Give away the data of an image that was made here."""

    def forget(self, image_id: str) -> None:
        """Delete an image there; never raises."""


class ImageStore:
    """The images of this host: a row each, and a folder with kernel and disk as they were when it was added."""

    def __init__(self, database: Database, paths: conf_module.Paths, host: str) -> None:
        self._database, self._paths, self._host = database, paths, host
        self.elsewhere: Elsewhere | None = None

    def folder(self, image_id: str) -> Path:
        """Where an image lies."""
        return self._paths.images / image_id

    def kernel(self, image: objects.Image) -> Path:
        """Where the image's kernel lies."""
        return self._paths.images / image.id / image.kernel

    def initramfs(self, image: objects.Image) -> Path | None:
        """Where its initramfs lies, if it has one."""
        return self._paths.images / image.id / image.initramfs if image.initramfs else None

    def disk(self, image: objects.Image) -> Path | None:
        """Where its disk lies, if it has one: raw, never written to."""
        return self._paths.images / image.id / image.disk if image.disk else None

    def cmdline_override(self, image: objects.Image) -> str:
        """The command line that was given in place of its disk's own; "" if none was."""
        own = self._paths.images / image.id / BOOT / "cmdline"
        found = own.read_text(errors="surrogateescape").removesuffix("\n") if own.exists() else ""
        return image.cmdline if image.cmdline != found else ""

    def add(
        self,
        name: str,
        kernel: str | os.PathLike[str] | None,
        kernel_format: str | None = None,
        *,
        initramfs: str | os.PathLike[str] | None = None,
        cmdline: str = "",
        properties: dict[str, str] | None = None,
        min_ram: int = 0,
        min_disk: int = 0,
        visibility: str = "public",
        project_id: str | None = None,
        image_id: str | None = None,
        disk: str | os.PathLike[str] | None = None,
        disk_format: str | None = None,
        max_disk_size: int = 1 << 40,
        progress: importer.Progress | None = None,
        look_into_disk: bool = True,
        warn: Callable[[str], object] = lambda sentence: None,
    ) -> objects.Image:
        """Copy a kernel, its initramfs and a disk into the store, on disk before the row is written.

        :param kernel: None takes kernel, initramfs and command line from ``disk``, as its own boot loader would; a disk
            that boots nothing makes an image without a kernel.
        :param kernel_format: how it is started; None recognises it.
        :param cmdline: where kernel is None, in place of the disk's own if not empty.
        :param disk_format: what ``disk`` is said to be, ``raw`` or ``qcow2``; None recognises it.
        :param max_disk_size: the largest disk that is taken, in bytes.
        :param progress: called with the bytes of the disk done and in all.
        :param look_into_disk: False leaves it to a firmware to find out what the disk boots.
        :param warn: told why the disk boots nothing, if so.
        :raises Invalid: a file that cannot be booted with ``min_ram`` (or any memory), a command line that is too
            long, an unknown format, a file that cannot be read, an id that is taken, a broken property, or a disk that
            is not what it is said to be, too large, or not safe to read.
        """
        if kernel is None and (disk is None or initramfs is not None):
            raise exceptions.Invalid("an image without a kernel is a disk that boots, and has no initramfs beside it")
        if kernel is not None:
            kernel_format = _check_files(Path(kernel), kernel_format, initramfs, cmdline, min_ram)
        if visibility not in ("public", "private"):
            raise exceptions.Invalid(f"visibility '{visibility}' is neither public nor private")
        own_timeout = (properties or {}).get(shutdown.TIMEOUT_PROPERTY)
        if own_timeout is not None and shutdown.parse_timeout(own_timeout) is None:
            raise exceptions.Invalid(
                f"property {shutdown.TIMEOUT_PROPERTY} '{own_timeout}' is no number of seconds up to "
                f"{shutdown.MAX_TIMEOUT}"
            )
        files = {} if kernel is None else {Path(kernel).name: Path(kernel)}
        kernel_name, initramfs_name = next(iter(files), ""), None
        if disk is not None and DISK in (kernel_name, Path(initramfs or "").name):
            raise exceptions.Invalid(f"a kernel or initramfs beside a disk cannot have the name {DISK}")
        if initramfs is not None:
            name_there = Path(initramfs).name
            initramfs_name = name_there if name_there != kernel_name else f"{name_there}.initramfs"
            files[initramfs_name] = Path(initramfs)
        image_id = image_id or str(uuidlib.uuid4())
        with self._database.read() as connection:
            if db_images.get(connection, image_id) is not None:
                raise exceptions.Invalid(f"An image {image_id} exists already.")
        try:
            size = self._copy(files, image_id)
            taken = importer.Disk("", 0, 0, "")
            if disk is not None:
                taken = importer.import_disk(
                    Path(disk), self.beside(image_id) / DISK, disk_format, max_disk_size, progress
                )
            payload = None
            if kernel is None and look_into_disk:
                payload = _boot_files(Path(disk or ""), self.beside(image_id), warn)
            if payload is not None:
                cmdline = cmdline or payload.cmdline
                try:
                    kernel_format = _check_files(payload.kernel, kernel_format, payload.initramfs, cmdline, min_ram)
                    kernel_name = f"{BOOT}/{payload.kernel.name}"
                    initramfs_name = f"{BOOT}/{payload.initramfs.name}" if payload.initramfs else None
                except exceptions.Invalid as error:
                    warn(f"{disk}: {error}")
                    shutil.rmtree(self.beside(image_id) / BOOT)
            self._publish(image_id)
        except importer.ImportRefused as error:
            raise exceptions.Invalid(str(error)) from error
        except OSError as error:
            raise exceptions.Invalid(f"{error.filename or kernel or disk}: {error.strerror}") from error
        finally:
            shutil.rmtree(self.beside(image_id), ignore_errors=True)
        at = now()
        image = objects.Image(
            id=image_id,
            name=name,
            kernel=kernel_name,
            kernel_format=kernel_format or "",
            size=size + taken.size,
            visibility=visibility,
            project_id=project_id,
            min_disk=min_disk,
            min_ram=min_ram,
            initramfs=initramfs_name,
            cmdline=cmdline,
            disk=DISK if disk is not None else None,
            disk_format=taken.format or None,
            virtual_size=taken.virtual_size or None,
            os_hash_algo=importer.HASH_ALGORITHM if disk is not None else None,
            os_hash_value=taken.hash_value or None,
            properties=dict(properties or {}),
            created_at=at,
            updated_at=at,
            data=_only_file(kernel_name, initramfs_name, kernel is None, taken),
            container_format="bare",
        )
        with self._database.write() as connection:
            db_images.insert(connection, image, self._host)
        return image

    def accept(self, image: objects.Image, form: str | None, max_size: int) -> objects.Image:
        """Publish an image whose data lies in its folder ``beside``; what it is then.

        :param form: the disk's format; None for a kernel or an initramfs, as ``disk_format`` says.
        :param max_size: the largest disk that is taken, in bytes.
        :raises ImportRefused: the data is not that. Raises OSError.
        """
        folder = self.beside(image.id)
        if not image.size:
            made = image
        elif form is not None:
            made = self._accept_disk(image, form, max_size)
        elif image.disk_format == "aki":
            try:
                made = replace(image, kernel=DATA, kernel_format=_check_files(folder / DATA, None, None, "", 0))
            except exceptions.Invalid as error:
                raise importer.ImportRefused(str(error)) from error
        else:
            made = replace(image, initramfs=DATA)
        self._publish(image.id)
        return made

    def _accept_disk(self, image: objects.Image, form: str, max_size: int) -> objects.Image:
        folder = self.beside(image.id)
        if form != "qcow2" and image.size % _SECTOR:  # filled up with zeros, as QEMU reads it
            os.truncate(folder / DATA, image.size + _SECTOR - image.size % _SECTOR)
        taken = importer.import_disk(folder / DATA, folder / DISK, form, max_size, hash_value=image.os_hash_value)
        image = replace(image, disk=DISK, virtual_size=taken.virtual_size)
        if form != "qcow2":
            (folder / DATA).unlink()
            image = replace(image, data=DISK)
        if image.properties.get(KERNEL_ID):
            return image
        try:
            payload = _boot_files(folder / DISK, folder, LOG.info)
            if payload is None:
                return image
            kernel_format = _check_files(payload.kernel, None, payload.initramfs, payload.cmdline, image.min_ram)
        except exceptions.Invalid as error:
            LOG.warning("What image %s boots is looked for when a server starts: %s", image.id, error)
            return image
        return replace(
            image,
            kernel=f"{BOOT}/{payload.kernel.name}",
            kernel_format=kernel_format,
            initramfs=f"{BOOT}/{payload.initramfs.name}" if payload.initramfs else None,
            cmdline=payload.cmdline,
        )

    def data(self, image: objects.Image) -> tuple[Path | None, int]:
        """The one file that an image is, and its size in bytes; (None, 0) where there is none.

        Of a disk that was given in another format and not kept so, the raw one.
        """
        folder = self._paths.images / image.id
        if image.data:
            return folder / image.data, image.size
        return (folder / image.disk, image.virtual_size or 0) if image.disk else (None, 0)

    def discard(self, image_id: str) -> None:
        """Delete the files of an image that has no row any more."""
        for folder in (self.beside(image_id), self._paths.images / image_id):
            shutil.rmtree(folder, ignore_errors=True)

    def beside(self, image_id: str) -> Path:
        """Where an image is put together."""
        return self._paths.images / f"{image_id}.new"

    def complete(self, image: objects.Image, origin: objects.Image) -> objects.Image:
        """Publish an image whose disk, if it has one, lies in its folder ``beside``; what it is then.

        It boots as ``origin`` does: what that names beside its disk, or what is on this disk.

        :raises Invalid: this host cannot find out what the disk boots. Raises OSError.
        """
        folder = self.beside(image.id)
        disk = folder / DISK
        from_disk = origin.boots_from_disk and disk.exists()
        payload = _boot_files(disk, folder, LOG.warning) if from_disk else None
        if payload is not None:
            cmdline = self.cmdline_override(origin) or payload.cmdline
            kernel_format = _check_files(payload.kernel, None, payload.initramfs, cmdline, image.min_ram)
            image = replace(
                image,
                kernel=f"{BOOT}/{payload.kernel.name}",
                kernel_format=kernel_format,
                initramfs=f"{BOOT}/{payload.initramfs.name}" if payload.initramfs else None,
                cmdline=cmdline,
            )
        elif from_disk:
            image = replace(image, kernel="", kernel_format="", initramfs=None)
        else:
            for name in filter(None, (origin.kernel, origin.initramfs)):
                shutil.copyfile(self._paths.images / origin.id / name, folder / name)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        virtual_size = disk.stat().st_size if disk.exists() else None
        # What follows is to be on disk before the row says so.
        for path in folder.rglob("*"):
            if path.is_file():
                with open(path, "rb") as file:
                    os.fsync(file.fileno())
        self._publish(image.id)
        if virtual_size is None:
            return replace(image, size=size)
        image = replace(image, size=size, disk=DISK, disk_format="raw", virtual_size=virtual_size)
        return replace(image, size=virtual_size, data=DISK) if from_disk else image

    def _copy(self, files: dict[str, Path], image_id: str) -> int:
        """Copy ``files`` to a new folder, and sync them. The size of all."""
        beside = self.beside(image_id)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(mode=0o700, parents=True)
        size = 0
        for name, source in files.items():
            with open(source, "rb") as reader, open(beside / name, "wb") as writer:
                shutil.copyfileobj(reader, writer)
                writer.flush()
                os.fsync(writer.fileno())
                size += writer.tell()
        return size

    def _publish(self, image_id: str) -> None:
        """Give the folder its name: one of that name is always complete."""
        folder = self._paths.images / image_id
        shutil.rmtree(folder, ignore_errors=True)  # left by an add that never came to its row
        _sync_folder(self.beside(image_id))
        os.rename(self.beside(image_id), folder)
        _sync_folder(folder.parent)

    def remove(self, image_id: str) -> None:
        """Take an image away from everybody. Servers that were made of it go on and can be started again: its files
        stay until the last of them is deleted."""
        with self._database.write() as connection:
            self._database.lock(connection, f"image:{image_id}")
            if not db_images.mark_deleted(connection, image_id):
                raise exceptions.ImageNotFound(image_id)
        if self.elsewhere is not None:
            self.elsewhere.forget(image_id)
        self.purge()

    def purge(self) -> None:
        """Delete the files of removed images that no server needs any more, then their rows. Raises OSError."""
        with self._database.read() as connection:
            unused = db_images.unused(connection, self._host)
        for image_id in unused:
            folder = self._paths.images / image_id
            if folder.exists():
                shutil.rmtree(folder)
            with self._database.write() as connection:
                db_images.delete(connection, image_id)

    def list(self) -> list[objects.Image]:
        with self._database.read() as connection:
            return db_images.of_host(connection, self._host)

    def seed(self) -> None:
        """Add the shipped guests, once per database and host."""
        for name, file, kernel_format in SHIPPED:
            image_id = str(uuidlib.uuid5(_NAMESPACE, f"{self._host}/{name}"))
            with self._database.read() as connection:
                present = db_images.get(connection, image_id) is not None
            if not present and (_GUESTS / file).exists():
                self.add(name, _GUESTS / file, kernel_format, image_id=image_id)


def _check_files(
    kernel: Path, kernel_format: str | None, initramfs: str | os.PathLike[str] | None, cmdline: str, min_ram: int
) -> str:
    """The kernel's format, recognised if it is not given. Raises Invalid."""
    from nova_lite.hv.vmm import loader  # with it comes the native module, which the API has no use for

    try:
        return loader.check(kernel, (min_ram << 20) or _ANY_MEMORY, kernel_format, initramfs, cmdline)
    except loader.LoaderError as error:
        raise exceptions.Invalid(str(error)) from error


def _boot_files(disk: Path, folder: Path, warn: Callable[[str], object]) -> find.Payload | None:
    """Kernel, initramfs and command line of the disk in ``folder``, copied beside it; None when it boots nothing, of
    which ``warn`` is told. Raises Invalid when this host cannot find out, OSError."""
    try:
        with open(folder / DISK, "rb") as file:
            opened = reader.Disk.of_file(file.fileno(), file.seek(0, os.SEEK_END))
            return find.extract(opened, find.entry(opened), folder / BOOT)
    except (find.NothingBootable, reader.DiskError) as error:
        warn(f"{disk}: {error}")
        return None
    except reader.ReaderError as error:
        raise exceptions.Invalid(f"{disk}: {error}") from error


def _only_file(kernel: str, initramfs: str | None, from_disk: bool, taken: importer.Disk) -> str | None:
    """Which file is the image as it was given, if one is."""
    if from_disk:
        return DISK if taken.format == "raw" else None
    return kernel if not (initramfs or taken.format) else None


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
