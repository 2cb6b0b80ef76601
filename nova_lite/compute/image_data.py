"""The data of images: taken in as it comes over the network, and given out again."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol

from nova_lite import exceptions, objects
from nova_lite.compute.image_changes import ImageChangeVerbs
from nova_lite.compute.images import DATA, ImageStore
from nova_lite.context import RequestContext
from nova_lite.db import images as db_images
from nova_lite.db.engine import Connection
from nova_lite.db.times import now
from nova_lite.disks import importer

LOG = logging.getLogger(__name__)

PIECE = 1 << 20
#: What may be uploaded, by what it is said to be: the format to be found in it, None for what is no disk.
DISK_FORMATS = {"raw": "raw", "qcow2": "qcow2", "iso": "iso", "ami": "raw", "aki": None, "ari": None}
CONTAINER_FORMATS = ("bare", "ami", "ari", "aki")
_BUSY = (errno.EAGAIN, errno.EACCES)


class Source(Protocol):
    """What data is read from."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Download:
    """Bytes ``start`` to ``end`` (not included) of a file of ``size``."""

    file: Path
    start: int
    end: int
    size: int

    def __iter__(self) -> Iterator[bytes]:
        with open(self.file, "rb") as reader:
            left = self.end - reader.seek(self.start) if self.end > self.start else 0
            while left > 0 and (piece := reader.read(min(PIECE, left))):
                left -= len(piece)
                yield piece


class ImageDataVerbs(ImageChangeVerbs):
    """Upload and download."""

    def upload_image(
        self, context: RequestContext, image: objects.Image, source: Source, length: int | None
    ) -> None:
        """Take an image's data; it is active then. Whatever goes wrong, it is ``queued`` again.

        :param length: in bytes, if it is known before.
        :raises Conflict: it has data already, or is getting some.
        :raises Invalid: it is not said what the data is, or less than ``length`` came.
        :raises TooLarge: more than is allowed, or than there is room for.
        :raises UnsupportedMedia: the data is not what it is said to be.
        :raises Gone: the image was deleted meanwhile.
        """
        store = self.image_store
        with contextlib.ExitStack() as stack:
            with self.database.write() as connection:
                current = self._held_image(connection, image.id)
                _check_queued(current, store)
                stack.enter_context(_lock(store, image.id))
                file = stack.enter_context(begin(store, current))
                db_images.update(connection, image.id, status=db_images.SAVING, data=DATA, updated_at=now())
            try:
                made = self._take(store, current, file, source, length)
            except BaseException:
                self._give_up(store, image.id)
                raise
            with self.database.write() as connection:
                self.database.lock(connection, f"image:{image.id}")
                found = db_images.get(connection, image.id)
                if found is not None and found.status == db_images.SAVING:
                    values = {name: getattr(made, name) for name in WRITTEN}
                    db_images.update(connection, image.id, **values, status="active", updated_at=now())
                    return
        store.discard(image.id)
        raise exceptions.Gone(f"Image {image.id} was deleted while its data came.")

    def _take(
        self, store: ImageStore, image: objects.Image, file: IO[bytes], source: Source, length: int | None
    ) -> objects.Image:
        most = self.conf.compute.max_image_disk_gb << 30
        try:
            if length is not None:
                check_room(length, most, store.beside(image.id))
            checksum, hash_value = copy(file, source, length, most)
            size = file.tell()
            made = replace(
                image, size=size, data=DATA, checksum=checksum, os_hash_algo="sha512", os_hash_value=hash_value
            )
            return store.accept(made, DISK_FORMATS.get(image.disk_format or ""), most)
        except importer.ImportRefused as error:
            words = str(error).removeprefix(f"{store.beside(image.id) / DATA}: ")
            kind = exceptions.TooLarge if "no space left" in words else exceptions.UnsupportedMedia
            raise kind(f"The data of image {image.id} is not taken: {words}") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise exceptions.Invalid(f"The data of image {image.id} did not come whole.") from error
            raise _no_room() from error

    def _give_up(self, store: ImageStore, image_id: str) -> None:
        """Nothing stays of what came."""
        shutil.rmtree(store.beside(image_id), ignore_errors=True)
        with self.database.write() as connection:
            _requeue(connection, image_id)

    def download_image(
        self, context: RequestContext, image: objects.Image, wanted: tuple[int | None, int | None] | None = None
    ) -> Download | None:
        """The data of an image; None when it has none that can be given out as one file.

        :param wanted: first byte and last byte, as a Range header has them: (None, n) are the last n.
        :raises Forbidden: it is deactivated, and the caller is no administrator.
        :raises RangeNotSatisfiable: it has no such bytes.
        """
        if image.status == db_images.DEACTIVATED and not context.is_admin:
            raise exceptions.Forbidden("The requested image has been deactivated. Image data download is forbidden.")
        if image.status not in ("active", db_images.DEACTIVATED):
            return None
        path, size = self.image_store.data(image)
        if path is None:
            return None
        first, last = wanted or (0, None)
        if first is None:
            first, last = max(size - (last or 0), 0), None
        end = size if last is None else min(last + 1, size)
        if wanted is not None and first >= end:
            raise exceptions.RangeNotSatisfiable(f"The image has {size} bytes.")
        return Download(path, first, end, size)


#: The columns of what is known of an image when its data is there.
WRITTEN = (
    *("kernel", "kernel_format", "initramfs", "cmdline", "disk", "virtual_size", "size", "data", "checksum"),
    *("os_hash_algo", "os_hash_value"),
)


def recover(connection: Connection, store: ImageStore, image: objects.Image) -> None:
    """An upload that its process did not live to end: the image is queued again, its data goes."""
    if not _is_coming(store, image.id):
        _requeue(connection, image.id)
        shutil.rmtree(store.beside(image.id), ignore_errors=True)


def _requeue(connection: Connection, image_id: str) -> None:
    image = db_images.get(connection, image_id)
    if image is not None and image.status == db_images.SAVING:
        db_images.update(connection, image_id, status=db_images.QUEUED, data=None, updated_at=now())


def _check_queued(image: objects.Image, store: ImageStore) -> None:
    uploading = image.status == db_images.SAVING and image.data is not None
    if image.status != db_images.QUEUED and not (uploading and not _is_coming(store, image.id)):
        raise exceptions.Conflict(f"Image status transition from {image.status} to saving is not allowed")
    missing = [name for name in ("disk_format", "container_format") if not getattr(image, name)]
    if missing:
        word = "Property" if len(missing) == 1 else "Properties"
        raise exceptions.Invalid(f"{word} {', '.join(missing)} must be set prior to saving data.")


def begin(store: ImageStore, image: objects.Image) -> IO[bytes]:
    """The file that the data goes into, in a new folder."""
    folder = store.beside(image.id)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700, parents=True)
        return open(folder / DATA, "wb")  # the caller closes it
    except OSError as error:
        raise _no_room() from error


@contextlib.contextmanager
def _lock(store: ImageStore, image_id: str) -> Iterator[None]:
    """Say, as long as this process lives, that it takes the data of an image."""
    path = _lock_file(store, image_id)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock_file(store: ImageStore, image_id: str) -> Path:
    return store.beside(image_id).with_suffix(".lock")


def _is_coming(store: ImageStore, image_id: str) -> bool:
    try:
        with open(_lock_file(store, image_id), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno not in _BUSY:
            raise
        return True
    return False


def check_room(length: int, most: int, folder: Path) -> None:
    if length > most:
        raise exceptions.TooLarge(f"The data is larger than the {most} bytes that an image may have.")
    found = os.statvfs(folder)
    if length > found.f_bavail * found.f_frsize:
        raise _no_room()


def copy(file: IO[bytes], source: Source, length: int | None, most: int) -> tuple[str, str]:
    """Write all of ``source``; its md5 and sha512. Raises OSError, also when less comes than was said."""
    md5, sha512 = hashlib.md5(usedforsecurity=False), hashlib.new(importer.HASH_ALGORITHM)
    came = 0
    while piece := source.read(PIECE):
        came += len(piece)
        if came > most:
            raise exceptions.TooLarge(f"The data is larger than the {most} bytes that an image may have.")
        md5.update(piece)
        sha512.update(piece)
        file.write(piece)
    if length is not None and came < length:
        raise OSError(errno.EPIPE, os.strerror(errno.EPIPE))
    file.flush()
    os.fsync(file.fileno())
    return md5.hexdigest(), sha512.hexdigest()


def _no_room() -> exceptions.TooLarge:
    return exceptions.TooLarge("Not enough disk space on image storage media.")


