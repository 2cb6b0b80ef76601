"""The compute API where images are Glance's: it is asked with the caller's token, each time an image is named."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.compute import states
from nova_lite.compute.api import API
from nova_lite.compute.image_data import DISK_FORMATS
from nova_lite.compute.images import KERNEL_ID
from nova_lite.compute.named_kernels import RAMDISK_ID
from nova_lite.context import RequestContext
from nova_lite.db import images as db_images
from nova_lite.db.engine import Database
from nova_lite.glance.client import Glance
from nova_lite.objects.image import GLANCE

#: Of a row of ours, what Glance says anew each time.
_SAID = ("name", "status", "project_id", "min_disk", "min_ram", "properties", "updated_at")


class GlanceAPI(API):
    """Rows of ``images`` are what this host has, or is to have, of Glance's images; nobody lists them."""

    def __init__(self, conf: cfg.ConfigOpts, database: Database, agent: Any) -> None:
        super().__init__(conf, database, agent)
        self._glance = Glance(conf)

    # -- the proxy ---------------------------------------------------------------------------------------------

    def list_images(
        self,
        context: RequestContext,
        *,
        filters: dict[str, Any] | None = None,
        limit: int | None = None,
        marker: str | None = None,
    ) -> list[objects.Image]:
        wanted = dict(filters or {})
        query: dict[str, Any] = {"sort": "created_at:asc,id:asc"} | dict(wanted.pop("properties", {}))
        if "changes_since" in wanted:
            query["updated_at"] = f"gte:{wanted.pop('changes_since').isoformat()}"
        for name in ("name", "status", "min_ram", "min_disk", "os_hidden", "size_min", "size_max", "visibility"):
            if name in wanted:
                query[name] = str(wanted.pop(name)).lower() if name == "os_hidden" else wanted.pop(name)
        if wanted:
            raise exceptions.Invalid(f"Invalid filter field: {next(iter(wanted))}.")
        if marker is not None:
            query["marker"] = marker
        try:
            return self._glance.list(context, query, limit)
        except exceptions.ImageNotFound as error:
            raise exceptions.Invalid(f"marker [{marker}] not found") from error

    def get_image(self, context: RequestContext, image_id: str) -> objects.Image:
        return self._glance.get(context, image_id)

    def update_image(self, context: RequestContext, image: objects.Image, **said: Any) -> objects.Image:
        self._glance.set_properties(context, image, said["properties"])
        return self._glance.get(context, image.id)

    def delete_image(self, context: RequestContext, image: objects.Image) -> None:
        self._glance.delete(context, image.id)
        with contextlib.suppress(exceptions.ImageNotFound):  # this host has nothing of it
            self.image_store.remove(image.id)

    # -- images that are used ----------------------------------------------------------------------------------

    def create(self, context: RequestContext, *, image_ref: str | None, **params: Any) -> list[objects.Instance]:
        named = [image_ref or ""]
        for device in itertools.chain(
            params.get("block_device_mapping_v2") or (), params.get("block_device_mapping") or ()
        ):
            if device.get("source_type") == "image":
                named.append(str(device.get("uuid") or ""))
        self._admit(context, named, "Can not find requested image")
        return super().create(context, image_ref=image_ref, **params)

    def rebuild(
        self, context: RequestContext, instance: objects.Instance, image_ref: str, changes: dict[str, Any], **how: Any
    ) -> objects.Instance:
        self._admit(context, [image_ref], "Cannot find image for rebuild")
        return super().rebuild(context, instance, image_ref, changes, **how)

    def rescue(
        self, context: RequestContext, instance: objects.Instance, image_ref: str | None, allow_volume_backed: bool
    ) -> None:
        self._admit(context, [image_ref or ""], f"Requested rescue image '{image_ref}' is not supported")
        super().rescue(context, instance, image_ref, allow_volume_backed)

    def create_volume(
        self, context: RequestContext, *, size_gb: int | None, image_id: str | None = None, **params: Any
    ) -> objects.Volume:
        self._admit(context, [image_id or ""], "Invalid image identifier or unable to access requested image.")
        return super().create_volume(context, size_gb=size_gb, image_id=image_id, **params)

    def _admit(self, context: RequestContext, image_ids: list[str], unknown: str) -> None:
        """Note what Glance says of the images that a request names, so that its verb finds them.

        :raises Invalid: with the words ``unknown`` for one that the caller may not see; one that is not active, or that
            no server here can boot.
        """
        waiting = list(dict.fromkeys(filter(None, image_ids)))
        for image_id in waiting:
            try:
                image = self._glance.get(context, image_id)
            except (exceptions.ImageNotFound, exceptions.Forbidden) as error:
                raise exceptions.Invalid(unknown) from error
            if image.status != "active":
                raise exceptions.Invalid(f"Image {image_id} is not active.")
            if image.disk_format not in DISK_FORMATS:
                raise exceptions.Invalid(f"Image {image_id} is unacceptable: its disk_format is {image.disk_format}")
            if image.disk and image.virtual_size is None:
                raise exceptions.Invalid(f"Image {image_id} is unacceptable: it has no virtual_size")
            others = [image.properties.get(name, "") for name in (KERNEL_ID, RAMDISK_ID)]
            waiting += [other for other in others if other and other not in waiting]
            self._note(image)

    def _note(self, image: objects.Image) -> None:
        with self.database.write() as connection:
            self.database.lock(connection, f"image:{image.id}")
            if db_images.get(connection, image.id) is None:
                db_images.insert(connection, replace(image, visibility=GLANCE, checksum=None), self.conf.host)
            else:
                db_images.update(connection, image.id, **{name: getattr(image, name) for name in _SAID})

    # -- images of servers -------------------------------------------------------------------------------------

    def create_image(
        self,
        context: RequestContext,
        instance: objects.Instance,
        name: str,
        metadata: dict[str, str] | None = None,
        image_id: str | None = None,
    ) -> str:
        with self._registered(context, instance, states.CREATE_IMAGE, name, metadata or {}) as new:
            return super().create_image(context, instance, name, metadata, image_id=new())

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
        said = dict(metadata or {}) | {"image_type": "backup", "backup_type": backup_type}
        with self._registered(context, instance, states.CREATE_BACKUP, name, said) as new:
            return super().create_backup(context, instance, name, backup_type, rotation, metadata, image_id=new())

    def shelve(self, context: RequestContext, instance: objects.Instance, image_id: str | None = None) -> None:
        if not instance.image_ref:  # its root disk is a volume: no image is made
            super().shelve(context, instance)
            return
        name = f"{instance.display_name[:247]}-shelved"
        with self._registered(context, instance, states.SHELVE, name, {}) as new:
            super().shelve(context, instance, image_id=new())

    @contextlib.contextmanager
    def _registered(
        self, context: RequestContext, instance: objects.Instance, verb: states.Verb, name: str, said: dict[str, str]
    ) -> Iterator[Callable[[], str]]:
        """A way to have an image in Glance for data that will come; it goes again if the request is refused."""
        if verb.heeds_lock:
            states.check_lock(instance, bool(context.is_admin))
        states.check(verb, instance)
        own = {"image_type": "snapshot", "instance_uuid": instance.uuid, "base_image_ref": instance.image_ref}
        document: dict[str, Any] = {
            **{key: value for key, value in (dict(instance.image_properties) | own | said).items() if value},
            "name": name,
            "visibility": "private",
            "container_format": "bare",
            "disk_format": "raw",
            "min_disk": instance.flavor.root_gb,
        }
        made: list[str] = []

        def new() -> str:
            made.append(self._glance.create(context, document))
            return made[0]

        try:
            yield new
        except BaseException:
            for image_id in made:
                self._glance.delete(context, image_id)
            raise
