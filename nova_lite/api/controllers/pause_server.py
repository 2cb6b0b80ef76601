"""Pause and unpause: freezing a server's virtual CPUs, and letting them run on."""

from __future__ import annotations

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states


class PauseServerController(wsgi.Controller):
    resource = "pause_server"
    resource_obj_cls = objects.Instance

    @wsgi.action("pause", policy="os_compute_api:os-pause-server:pause")
    @wsgi.verb(states.PAUSE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.pause_server.pause)
    def pause(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Pause a server.

        An ACTIVE server stops between two instructions; its memory stays where it is.
        """
        self.compute.pause(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("unpause", policy="os_compute_api:os-pause-server:unpause")
    @wsgi.verb(states.UNPAUSE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.pause_server.unpause)
    def unpause(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Unpause a server.

        A PAUSED server runs on from where it was.
        """
        self.compute.unpause(req.context, obj)
        announce(req, self.compute, obj)
