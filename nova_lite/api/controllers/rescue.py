"""Rescue and unrescue: another disk to boot for a server whose own does not."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.api.controllers.server_create import password_of
from nova_lite.compute import states


class RescueParams(TypedDict, total=False):
    admin_password: str
    image_ref: str


class RescueController(wsgi.Controller):
    resource = "rescue"
    resource_obj_cls = objects.Instance

    @wsgi.action("rescue", policy="os_compute_api:os-rescue")
    @wsgi.verb(states.RESCUE)
    @wsgi.version(base="2.1", max="2.86")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.rescue.rescue)
    def rescue(self, req: wsgi.Request, obj: objects.Instance, params: RescueParams) -> dict[str, Any]:
        """Rescue a server.

        400 for a server that boots from a volume.
        """
        return self._rescue(req, obj, params, allow_volume_backed=False)

    @wsgi.version(base="2.87")
    @wsgi.response(200, version="2.87")
    @wsgi.response(202, version="3.0")
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.rescue.rescue)
    def rescue(  # type: ignore[no-redef]
        self, req: wsgi.Request, obj: objects.Instance, params: RescueParams
    ) -> dict[str, Any]:
        """Rescue a server.

        A server that is ACTIVE, SHUTOFF or in ERROR boots the given image, or the one that it was made of, from a disk
        of its own that comes first; the server's own root disk is the second, as it was left. The server is then in
        RESCUE. One that boots from a volume can be rescued from 2.87 on, with an image that has the properties
        ``hw_rescue_device`` and ``hw_rescue_bus``. The password is returned, and the guest is not told.
        """
        return self._rescue(req, obj, params, allow_volume_backed=True)

    def _rescue(
        self, req: wsgi.Request, obj: objects.Instance, params: RescueParams, allow_volume_backed: bool
    ) -> dict[str, Any]:
        self.compute.rescue(req.context, obj, params.get("image_ref"), allow_volume_backed)
        announce(req, self.compute, obj)
        if not self.compute.conf.api.enable_instance_password:
            return {}
        return {"admin_password": password_of(params)}

    @wsgi.action("unrescue", policy="os_compute_api:os-unrescue")
    @wsgi.verb(states.UNRESCUE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.rescue.unrescue)
    def unrescue(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Unrescue a server.

        A server in RESCUE boots as its own again; the rescue disk goes.
        """
        self.compute.unrescue(req.context, obj)
        announce(req, self.compute, obj)
