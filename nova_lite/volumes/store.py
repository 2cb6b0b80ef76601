"""Volumes of this host and their snapshots: a row each, and a raw file with holes below ``<state>/volumes``.

A volume's file is whole or not there; it is never written to but by the machine of the server that has it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid as uuidlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from nova_lite import conf as conf_module
from nova_lite import exceptions, objects
from nova_lite.compute.images import ImageStore
from nova_lite.db import images as db_images
from nova_lite.db import volume_snapshots as db_volume_snapshots
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Database
from nova_lite.db.times import now

GIB = 1 << 30
MAX_GB = 1 << 14  # what ext4 can hold in one file
Progress = Callable[[int, int], None]
#: Copies a file that others may be writing to into the empty file of a descriptor.
Copier = Callable[[Path, int], None]

_PIECE = 8 << 20


class VolumeStore:
    """``host``: whose volumes."""

    def __init__(self, database: Database, paths: conf_module.Paths, images: ImageStore, host: str) -> None:
        self._database, self._paths, self._images, self._host = database, paths, images, host

    def path(self, uuid: str) -> Path:
        """Where a volume lies."""
        return self._paths.volume(uuid)

    def create(
        self,
        size_gb: int | None,
        *,
        name: str = "",
        project_id: str,
        description: str | None = None,
        image_id: str | None = None,
        progress: Progress | None = None,
    ) -> objects.Volume:
        """An empty volume, or one with what an image holds, from which a server can then boot.

        :param size_gb: GiB; None with an image: as large as its disk.
        :raises Invalid: there is no such image, it has no disk, or does not fit; no space.
        """
        image = self._image(image_id) if image_id else None
        if size_gb is None and image is None:
            raise exceptions.Invalid("an empty volume needs a size")
        size_gb = needed_gb(image) if size_gb is None and image is not None else int(size_gb or 0)
        check_size(size_gb, image)
        at = now()
        volume = objects.Volume(
            uuid=str(uuidlib.uuid4()),
            host=self._host,
            project_id=project_id,
            name=name,
            size_gb=size_gb,
            status="available",
            created_at=at,
            updated_at=at,
            description=description,
            image_id=image_id,
        )
        self.make(volume, progress)
        with self._database.write() as connection:
            db_volumes.insert(connection, volume)
        return volume

    def make(
        self,
        volume: objects.Volume,
        progress: Progress | None = None,
        anew: bool = False,
        copier: Copier | None = None,
    ) -> None:
        """The file of a volume that is to be, unless it is there; ``anew`` of its image, in place of what is there. May
        be cut off and done again.

        :param copier: for what it is made of, where somebody writes to that.
        :raises Invalid: its image is gone, or there is no space.
        """
        path = self.path(volume.uuid)
        if path.exists() and not anew:
            return
        base = self._base(replace(volume, snapshot_id=None, source_volid=None) if anew else volume)
        self._copy(base, path, volume.size_gb, f"Volume {volume.uuid}", _with(progress, copier))

    def make_snapshot(self, snapshot: objects.VolumeSnapshot, copier: Copier | None = None) -> None:
        """The file of a snapshot that is to be, unless it is there: a copy of its volume, by reference where the file
        system can. May be cut off and done again.

        :param copier: for a volume that somebody writes to.
        :raises Invalid: there is no space.
        """
        path = self._paths.volume_snapshot(snapshot.uuid)
        if not path.exists():
            what = f"Snapshot {snapshot.uuid}"
            self._copy(self.path(snapshot.volume_id), path, snapshot.size_gb, what, _with(None, copier))

    def _base(self, volume: objects.Volume) -> Path | None:
        """What a new volume begins with."""
        if volume.snapshot_id:
            return self._paths.volume_snapshot(volume.snapshot_id)
        if volume.source_volid:
            return self.path(volume.source_volid)
        return self._images.disk(self._image(volume.image_id)) if volume.image_id else None

    def _copy(self, base: Path | None, path: Path, size_gb: int, what: str, copier: Copier) -> None:
        beside = path.with_suffix(f"{path.suffix}.new")
        try:
            self._paths.volumes.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                if base is not None:
                    copier(base, fd)
                os.ftruncate(fd, size_gb * GIB)
                os.fsync(fd)
            finally:
                os.close(fd)
            beside.rename(path)
            _sync_folder(path.parent)
        except OSError as error:
            with contextlib.suppress(OSError):  # what is left is written over by the next attempt
                beside.unlink()
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "the host has no space left for it" if full else error.strerror
            raise exceptions.Invalid(f"{what} cannot be made: {reason}.") from error

    def extend(self, uuid: str, size_gb: int) -> objects.Volume:
        """Make a free volume larger.

        :raises Invalid: it is in use, or the size is not more than it has.
        """
        with self._database.write() as connection:
            volume = self._own(db_volumes.get(connection, uuid, for_update=True), uuid)
            if volume.status != "available":
                raise exceptions.Invalid(f"Volume {uuid} is {volume.status}; only an available one can be extended.")
            if size_gb <= volume.size_gb:
                raise exceptions.Invalid(f"Volume {uuid} has {volume.size_gb} GiB; the new size must be more.")
            check_size(size_gb, None)
            os.truncate(self.path(uuid), size_gb * GIB)
            db_volumes.update(connection, uuid, size_gb=size_gb)
        return self.get(uuid)

    def delete(self, uuid: str) -> None:
        """Raises Invalid unless no server has it."""
        with self._database.write() as connection:
            volume = self._own(db_volumes.get(connection, uuid, for_update=True), uuid)
            if volume.status not in ("available", "error", "deleting"):
                server = db_volumes.servers_of(connection).get(uuid)
                of_server = f" (server {server})" if server else ""
                raise exceptions.Invalid(f"Volume {uuid} is {volume.status}{of_server}; detach it first.")
            db_volumes.update(connection, uuid, status="deleting")
        self.purge()

    def purge(self) -> None:
        """Delete the files of volumes and snapshots that are being deleted, then their rows. Raises OSError."""
        for volume in self.list():
            if volume.status == "deleting":
                _unlink(self.path(volume.uuid))
                with self._database.write() as connection:
                    db_volumes.delete(connection, volume.uuid)
        with self._database.read() as connection:
            leaving = db_volume_snapshots.list_(connection, self._host, status="deleting")
        for snapshot in leaving:
            _unlink(self._paths.volume_snapshot(snapshot.uuid))
            with self._database.write() as connection:
                db_volume_snapshots.delete(connection, snapshot.uuid)

    def get(self, uuid: str) -> objects.Volume:
        """Raises NotFound."""
        with self._database.read() as connection:
            return self._own(db_volumes.get(connection, uuid), uuid)

    def list(self) -> list[objects.Volume]:
        with self._database.read() as connection:
            return db_volumes.list_(connection, self._host)

    def _own(self, volume: objects.Volume | None, uuid: str) -> objects.Volume:
        if volume is None or volume.host != self._host:
            raise exceptions.VolumeNotFound(uuid)
        return volume

    def _image(self, image_id: str) -> objects.Image:
        if self._images.elsewhere is not None:
            self._images.elsewhere.fetch(image_id)
        with self._database.read() as connection:
            image = db_images.get(connection, image_id)
        if image is None or self._images.disk(image) is None:
            raise exceptions.Invalid(f"Image {image_id} does not exist or has no disk.")
        return image


def needed_gb(image: objects.Image) -> int:
    """How many GiB a volume with an image's disk has at least."""
    return -(-(image.virtual_size or 0) // GIB)


def check_size(size_gb: int, image: objects.Image | None) -> None:
    """Raises Invalid for a size that cannot be."""
    if not 1 <= size_gb <= MAX_GB:
        raise exceptions.Invalid(f"A volume of {size_gb} GiB cannot be: it has from 1 to {MAX_GB}.")
    if image is not None and size_gb < max(needed_gb(image), image.min_disk):
        least = max(needed_gb(image), image.min_disk)
        raise exceptions.Invalid(f"A volume of {size_gb} GiB is too small for the image: it needs {least}.")


def copy_with_holes(source: int, target: int, progress: Progress | None = None) -> None:
    """All data of a file into an empty one, at the same places; what is a hole stays one. By reference, where the file
    system can."""
    end = os.lseek(source, 0, os.SEEK_END)
    os.ftruncate(target, end)
    at = 0
    while at < end:
        try:
            at = os.lseek(source, at, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                break
            raise
        stop = os.lseek(source, at, os.SEEK_HOLE)
        while at < stop:
            copied = os.copy_file_range(source, target, min(_PIECE, stop - at), at, at)
            if copied == 0:  # the file has become shorter
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            at += copied
            if progress is not None:
                progress(at, end)


def _with(progress: Progress | None, copier: Copier | None) -> Copier:
    def copy(source: Path, target: int) -> None:
        with open(source, "rb") as file:
            copy_with_holes(file.fileno(), target, progress)

    return copier or copy


def _unlink(path: Path) -> None:
    for one in (path, path.with_suffix(f"{path.suffix}.new")):
        one.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
