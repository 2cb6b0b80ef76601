"""What controllers see of the image store: the images that a caller may boot."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import images as db_images
from nova_lite.db.engine import Database
from nova_lite.db.tables import images


class ImageVerbs:
    """/images (the proxy of microversions up to 2.35, and v3)."""

    conf: cfg.ConfigOpts
    database: Database

    def list_images(
        self,
        context: RequestContext,
        *,
        filters: dict[str, Any] | None = None,
        limit: int | None = None,
        marker: str | None = None,
    ) -> list[objects.Image]:
        """Images that the caller may boot, oldest first.

        :param filters: ``name``, ``status``, ``min_ram``, ``min_disk``, ``os_hidden`` (exact; False if not given),
            ``changes_since`` (a time), ``size_min``, ``size_max`` (bytes), ``properties`` ({name: value}, all must
            match), ``visibility`` (``all`` takes those of the community in; None leaves those of others out).
        """
        wanted = {"os_hidden": False} | dict(filters or {})
        conditions = _visible(context, wanted.pop("visibility", None))
        properties: dict[str, str] = {}
        for name, value in wanted.items():
            if name in ("name", "status", "min_ram", "min_disk", "os_hidden"):
                conditions.append(images.c[name] == value)
            elif name == "changes_since":
                conditions.append(images.c.updated_at >= value)
            elif name in ("size_min", "size_max"):
                conditions.append(images.c.size >= value if name == "size_min" else images.c.size <= value)
            elif name == "properties":
                properties = dict(value)
            else:
                raise exceptions.Invalid(f"Invalid filter field: {name}.")
        with self.database.read() as connection:
            if marker is not None:
                last = db_images.get(connection, marker)
                if last is None or not last.seen_by(context.project_id, bool(context.is_admin)):
                    raise exceptions.Invalid(f"marker [{marker}] not found")
            found = db_images.list_(connection, conditions, None if properties else limit, marker)
        matching = [image for image in found if properties.items() <= image.properties.items()]
        return matching if limit is None else matching[:limit]

    def get_image(self, context: RequestContext, image_id: str) -> objects.Image:
        """NotFound for one that does not exist or is another project's private one."""
        with self.database.read() as connection:
            image = db_images.get(connection, image_id)
        if image is None or image.status == db_images.DELETED:
            raise exceptions.ImageNotFound(image_id)
        if not image.seen_by(context.project_id, bool(context.is_admin)):
            raise exceptions.ImageNotFound(image_id)
        return image


def _visible(context: RequestContext, visibility: str | None) -> list[sa.ColumnElement[bool]]:
    """Conditions on what the caller sees: Glance's."""
    own = images.c.project_id == context.project_id
    public, community = images.c.visibility == "public", images.c.visibility == "community"
    if visibility in (None, "all"):
        if context.is_admin:
            return []
        return [sa.or_(public, own) if visibility is None else sa.or_(public, community, own)]
    wanted = images.c.visibility == visibility
    if context.is_admin or visibility in ("public", "community"):
        return [wanted]
    return [wanted, own]
