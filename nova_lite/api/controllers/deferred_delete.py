"""forceDelete: deleting a server at once. 3.x needs no such action, as a plain delete never waits."""

from __future__ import annotations

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi


class DeferredDeleteController(wsgi.Controller):
    resource = "deferred_delete"
    resource_obj_cls = objects.Instance

    @wsgi.action("forceDelete", policy="os_compute_api:os-deferred-delete:force")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.deferred_delete.force_delete)
    def force_delete(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Delete a server at once.

        The same as deleting it: nothing is kept to be restored.
        """
        self.compute.force_delete(req.context, obj)
