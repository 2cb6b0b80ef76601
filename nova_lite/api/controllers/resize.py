"""Resize: another flavor for a server, which is then confirmed or reverted."""

from __future__ import annotations

from typing import TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.api.controllers.server_create import flavor_of
from nova_lite.compute import states


class ResizeParams(TypedDict, total=False):
    flavor_ref: str
    disk_config: str


class ResizeController(wsgi.Controller):
    resource = "resize"
    resource_obj_cls = objects.Instance

    @wsgi.action("resize", policy="os_compute_api:servers:resize")
    @wsgi.verb(states.RESIZE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.resize.resize)
    def resize(self, req: wsgi.Request, obj: objects.Instance, params: ResizeParams) -> None:
        """Resize a server.

        A server that is ACTIVE or SHUTOFF is stopped, gets the other flavor on the host that it is on, and is started
        again if it was ACTIVE; it is then in VERIFY_RESIZE until it is confirmed or reverted. Its root disk grows with
        the flavor, and the ephemeral disk that was all the flavor gave; swap space is made anew. A disk never becomes
        smaller. The old disks are kept until then, so that a revert gives the server back as it was.
        """
        self.compute.resize(req.context, obj, flavor_of(params["flavor_ref"]), params.get("disk_config"))
        announce(req, self.compute, obj)

    @wsgi.action("confirmResize", v3="confirm_resize", policy="os_compute_api:servers:confirm_resize")
    @wsgi.verb(states.CONFIRM_RESIZE)
    @wsgi.version(base="2.1")
    @wsgi.response(204, version="2.1")
    @wsgi.response(202, version="3.0")
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.resize.confirm)
    def confirm(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Confirm a resize.

        The server stays as it is, and its old disks go. With ``[compute] resize_confirm_window`` this happens by
        itself after that time.
        """
        self.compute.confirm_resize(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("revertResize", v3="revert_resize", policy="os_compute_api:servers:revert_resize")
    @wsgi.verb(states.REVERT_RESIZE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.resize.revert)
    def revert(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Revert a resize.

        The server has its old flavor and its old disks again; what it wrote since it was resized is lost.
        """
        self.compute.revert_resize(req.context, obj)
        announce(req, self.compute, obj)
