"""Deferred delete: deleting a server at once whatever the options say, and bringing back one that is SOFT_DELETED."""

from __future__ import annotations

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states


class DeferredDeleteController(wsgi.Controller):
    resource = "deferred_delete"
    resource_obj_cls = objects.Instance

    @wsgi.action("forceDelete", v3="force_delete", policy="os_compute_api:os-deferred-delete:force")
    @wsgi.verb(states.DELETE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.deferred_delete.force_delete)
    def force_delete(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Delete a server at once.

        With the option ``reclaim_instance_interval`` a plain delete leaves it SOFT_DELETED for that time; this does
        not, and does not wait for that time to be over.
        """
        self.compute.force_delete(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("restore", policy="os_compute_api:os-deferred-delete:restore")
    @wsgi.verb(states.RESTORE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(403, 404, 409)
    @validation.schema(schemas.deferred_delete.restore)
    def restore(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Bring a SOFT_DELETED server back.

        It has kept its disks, addresses and volumes, and is started. 403 when the quota has no room for it any more.
        """
        self.compute.restore(req.context, obj)
        announce(req, self.compute, obj)
