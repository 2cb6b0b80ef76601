"""Images as a service to its users: registered, changed and deleted by the projects that own them."""

from __future__ import annotations

import uuid as uuidlib
from typing import Any

from oslo_config import cfg

from nova_lite import conf as conf_module
from nova_lite import exceptions, objects
from nova_lite.compute.images import ImageStore
from nova_lite.context import RequestContext
from nova_lite.db import images as db_images
from nova_lite.db.engine import Connection, Database
from nova_lite.db.times import now

#: As many as Glance allows by default.
MOST_PROPERTIES, MOST_TAGS = 128, 128
#: What a user may say of an image beside its properties.
ATTRIBUTES = (
    *("name", "visibility", "protected", "os_hidden", "container_format", "disk_format", "min_disk", "min_ram"),
    *("tags", "project_id"),
)


class ImageChangeVerbs:
    """What the Image service and Nova's proxy of it do to images, their data excepted."""

    conf: cfg.ConfigOpts
    database: Database

    @property
    def image_store(self) -> ImageStore:
        """The store of this host."""
        return ImageStore(self.database, conf_module.paths(self.conf), self.conf.host)

    def register_image(self, context: RequestContext, image_id: str | None = None, **said: Any) -> objects.Image:
        """A new image without data: ``queued``.

        :param said: of ATTRIBUTES, and ``properties`` ({name: text}).
        :raises Conflict: the id is taken.
        :raises TooLarge: too many properties or tags.
        :raises Forbidden: it would belong to another project.
        """
        at = now()
        image = objects.Image(
            id=image_id or str(uuidlib.uuid4()),
            name="",
            kernel="",
            kernel_format="",
            size=0,
            status=db_images.QUEUED,
            visibility="shared",
            project_id=context.project_id,
            created_at=at,
            updated_at=at,
        )
        for name, value in said.items():
            setattr(image, name, value)
        if image.project_id != context.project_id and not context.is_admin:
            raise exceptions.Forbidden(f"You are not permitted to create images owned by '{image.project_id}'.")
        _check_counts(image)
        with self.database.write() as connection:
            self.database.lock(connection, f"image:{image.id}")
            if db_images.get(connection, image.id) is not None:
                raise exceptions.Conflict(f"Image ID {image.id} already exists!")
            db_images.insert(connection, image, self.conf.host)
        return image

    def update_image(self, context: RequestContext, image: objects.Image, **said: Any) -> objects.Image:
        """Change what is said of an image; it as it is then.

        :param said: as for ``register_image``; properties as a whole.
        :raises Forbidden: another owner, and the caller is no administrator.
        :raises TooLarge: too many properties or tags.
        :raises NotFound: it was deleted meanwhile.
        """
        if not context.is_admin and said.get("project_id", image.project_id) != image.project_id:
            raise exceptions.Forbidden("Owner can't be updated by non admin.")
        with self.database.write() as connection:
            current = self._held_image(connection, image.id)
            for name, value in said.items():
                setattr(current, name, value)
            _check_counts(current)
            current.updated_at = now()
            db_images.update(connection, image.id, **said, updated_at=current.updated_at)
        return current

    def delete_image(self, context: RequestContext, image: objects.Image) -> None:
        """Take it away from everybody; its files stay as long as a server or volume needs them.

        :raises Forbidden: it is protected.
        :raises NotFound: it was deleted meanwhile.
        """
        with self.database.read() as connection:
            current = db_images.get(connection, image.id)
        if current is not None and current.protected:
            raise exceptions.Forbidden(f"Image {image.id} is protected and cannot be deleted.")
        self.image_store.remove(image.id)

    def set_image_active(self, context: RequestContext, image: objects.Image, active: bool) -> None:
        """Let nobody use an image's data for a while, or again.

        :raises Forbidden: it is neither active nor deactivated.
        """
        wanted = "active" if active else db_images.DEACTIVATED
        with self.database.write() as connection:
            current = self._held_image(connection, image.id)
            if current.status not in ("active", db_images.DEACTIVATED):
                verb = "reactivate" if active else "deactivate"
                raise exceptions.Forbidden(f"Not allowed to {verb} image in status '{current.status}'")
            db_images.update(connection, image.id, status=wanted, updated_at=now())

    def _held_image(self, connection: Connection, image_id: str) -> objects.Image:
        """The image as it is, nobody else changing it until the transaction ends."""
        self.database.lock(connection, f"image:{image_id}")
        current = db_images.get(connection, image_id)
        if current is None or current.status == db_images.DELETED:
            raise exceptions.ImageNotFound(image_id)
        return current


def _check_counts(image: objects.Image) -> None:
    for what, number, most in (
        ("image properties", len(image.properties), MOST_PROPERTIES),
        ("image tags", len(image.tags), MOST_TAGS),
    ):
        if number > most:
            raise exceptions.TooLarge(
                f"The limit has been exceeded on the number of allowed {what}. Attempted: {number}, Maximum: {most}"
            )
