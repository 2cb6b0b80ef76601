"""Images that are made of servers."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers import image_metadata
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states

_POLICY = "os_compute_api:servers:create_image"


class ImageParams(TypedDict, total=False):
    name: str
    metadata: dict[str, str]


class BackupParams(ImageParams, total=False):
    backup_type: str
    rotation: int


class ServerImagesController(wsgi.Controller):
    resource = "server_images"
    resource_obj_cls = objects.Instance

    @wsgi.action("createImage", v3="create_image", policy=_POLICY)
    @wsgi.verb(states.CREATE_IMAGE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.server_images.create_image)
    def create_image(self, req: wsgi.Request, obj: objects.Instance, params: ImageParams) -> dict[str, Any]:
        """Make an image of a server's root disk.

        The disk is taken as it is at one moment: the guest stands still while what the server has written is copied,
        by reference where the host's file system can. The image boots as the server does; it is SAVING until then, and
        ERROR if it could not be made. Until 2.44 the header ``Location`` names the image; until 2.38 the quota
        ``metadata_items`` counts for its metadata.
        """
        if not obj.image_ref:
            req.authorize(f"{_POLICY}:allow_volume_backed", obj.policy_target())
        self._check_metadata(req, params)
        image_id = self.compute.create_image(req.context, obj, params["name"], params.get("metadata"))
        if req.version < (2, 45):
            req.set_header("Location", req.url(f"/images/{image_id}"))
        announce(req, self.compute, obj)
        return {"image_id": image_id}

    @wsgi.action("createBackup", v3="create_backup", policy="os_compute_api:os-create-backup")
    @wsgi.verb(states.CREATE_BACKUP)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.server_images.create_backup)
    def create_backup(self, req: wsgi.Request, obj: objects.Instance, params: BackupParams) -> dict[str, Any]:
        """Make an image of a server's root disk and remove older ones.

        As ``createImage``. When the new image is there, of the server's backups of this ``backup_type`` the newest
        ``rotation`` stay; with 0 none does, and no ``Location`` names one. 400 for a server that boots from a volume.
        """
        self._check_metadata(req, params)
        image_id = self.compute.create_backup(
            req.context, obj, params["name"], params["backup_type"], params["rotation"], params.get("metadata")
        )
        announce(req, self.compute, obj)
        if req.version < (2, 45) and params["rotation"]:
            req.set_header("Location", req.url(f"/images/{image_id}"))
        return {"image_id": image_id}

    def _check_metadata(self, req: wsgi.Request, params: ImageParams) -> None:
        if req.version < (2, 39):
            image_metadata.check_count(req, self.compute, params.get("metadata", {}))
