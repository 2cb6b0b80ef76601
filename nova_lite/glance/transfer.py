"""The agent's part: data of Glance's images comes to this host once, when a server needs it; images of servers go."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import shutil
import threading
from collections import defaultdict
from dataclasses import replace

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import image_data
from nova_lite.compute.images import DATA, KERNEL_ID, ImageStore
from nova_lite.compute.named_kernels import RAMDISK_ID
from nova_lite.db import images as db_images
from nova_lite.db.engine import Database
from nova_lite.db.times import now
from nova_lite.disks.importer import HASH_ALGORITHM, ImportRefused
from nova_lite.glance.client import Glance
from nova_lite.objects.image import GLANCE

LOG = logging.getLogger(__name__)


class Transfer:
    """Between the image store of this host and Glance, with the service's own account."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, store: ImageStore) -> None:
        self._glance, self._database, self._store = Glance(conf), database, store
        self._most = conf.compute.max_image_disk_gb << 30
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def fetch(self, image_id: str) -> None:
        """Bring an image here, and the kernel and ramdisk that it names, as far as they are not.

        :raises Invalid: Glance does not have it any more, gives something else than it says, or is away.
        """
        image = self._fetch(image_id)
        properties = image.properties if image is not None else {}
        for name in (KERNEL_ID, RAMDISK_ID):
            if properties.get(name):
                self._fetch(properties[name])

    def _fetch(self, image_id: str) -> objects.Image | None:
        with self._locks[image_id]:
            with self._database.read() as connection:
                image = db_images.get(connection, image_id)
            if image is None:
                return None  # whoever needs it says so better
            if image.visibility == GLANCE and image.checksum is None:
                try:
                    self._download(image)
                except ImportRefused as error:
                    raise exceptions.Invalid(f"Image {image_id} is unacceptable: {error}") from error
                except exceptions.NovaLiteError as error:
                    raise exceptions.Invalid(str(error)) from error
                except OSError as error:
                    raise exceptions.Invalid(f"The data of image {image_id} did not come: {error}") from error
            return image

    def _download(self, image: objects.Image) -> None:
        said = self._glance.look(image.id)
        if said.status != "active":
            raise exceptions.Invalid(f"Image {image.id} is not active.")
        LOG.info("Image %s comes from Glance, %d bytes", image.id, said.size)
        try:
            with image_data.begin(self._store, image) as file, self._glance.download(image.id) as source:
                image_data.check_room(said.size, self._most, self._store.beside(image.id))
                checksum, hash_value = image_data.copy(file, source, said.size, min(self._most, said.size))
            self._verify(said, checksum, hash_value)
            form = image_data.DISK_FORMATS[image.disk_format or ""]
            whole = replace(
                image,
                size=said.size,
                data=DATA,
                checksum=checksum,
                os_hash_algo=HASH_ALGORITHM,
                os_hash_value=hash_value,
            )
            made = self._store.accept(whole, form, self._most)
        except BaseException:
            shutil.rmtree(self._store.beside(image.id), ignore_errors=True)
            raise
        with self._database.write() as connection:
            values = {name: getattr(made, name) for name in image_data.WRITTEN}
            db_images.update(connection, image.id, **values)

    def _verify(self, said: objects.Image, checksum: str, hash_value: str) -> None:
        """What came must be what Glance took in once."""
        came = checksum
        wanted = said.checksum
        if said.os_hash_value and said.os_hash_algo in hashlib.algorithms_available:
            wanted, came = said.os_hash_value, hash_value
            if said.os_hash_algo != HASH_ALGORITHM:
                with open(self._store.beside(said.id) / DATA, "rb") as file:
                    came = hashlib.file_digest(file, str(said.os_hash_algo)).hexdigest()
        if wanted is None or not hmac.compare_digest(wanted, came):
            raise exceptions.Invalid(f"The data of image {said.id} is not what Glance says: its digest differs.")

    def upload(self, image_id: str) -> None:
        """Give Glance the data of an image that was made here.

        :raises Invalid: it cannot be had there; then there will be no such image in Glance.
        """
        with self._database.read() as connection:
            image = db_images.get(connection, image_id)
        if image is None or image.status != "active":
            return  # nobody wants it any more
        try:
            if self._glance.look(image_id).status != "active":
                path, size = self._store.data(image)
                if path is None:
                    raise exceptions.Invalid(f"Server {image.properties.get('instance_uuid')} has no disk of its own.")
                self._glance.upload(image_id, path)
                if (there := self._glance.look(image_id)).size != size:
                    raise exceptions.Invalid(f"Glance has {there.size} bytes of {size}.")
            checksum = self._glance.look(image_id).checksum
        except (exceptions.NovaLiteError, OSError) as error:
            self.forget(image_id)
            raise exceptions.Invalid(f"The image cannot be uploaded: {error}") from error
        with self._database.write() as connection:
            db_images.update(connection, image_id, visibility=GLANCE, checksum=checksum, updated_at=now())

    def forget(self, image_id: str) -> None:
        """Delete an image in Glance that nothing became of, or that has served its end."""
        try:
            with contextlib.suppress(exceptions.ImageNotFound):
                self._glance.delete(None, image_id)
        except exceptions.NovaLiteError as error:
            LOG.error("Image %s is still in Glance: %s", image_id, error)
