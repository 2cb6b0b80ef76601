"""Suspend and resume: a server's memory on disk, and back."""

from __future__ import annotations

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states


class SuspendServerController(wsgi.Controller):
    resource = "suspend_server"
    resource_obj_cls = objects.Instance

    @wsgi.action("suspend", policy="os_compute_api:os-suspend-server:suspend")
    @wsgi.verb(states.SUSPEND)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.suspend_server.suspend)
    def suspend(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Suspend a server.

        The memory of an ACTIVE server, and all that its machine is, goes to disk, and the host is free of it, also
        through a restart of the host. Its addresses and volumes stay its own.
        """
        self.compute.suspend(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("resume", policy="os_compute_api:os-suspend-server:resume")
    @wsgi.verb(states.RESUME)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.suspend_server.resume)
    def resume(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Resume a server.

        A SUSPENDED server goes on where it was. Its guest's clock stood still meanwhile.
        """
        self.compute.resume(req.context, obj)
        announce(req, self.compute, obj)
