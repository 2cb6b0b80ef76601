"""Operations: the work behind every answer 202 of 3.x, to be polled until it is done or failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.times import rfc3339


@dataclass
class OperationOnServer:
    """An operation and the server that it is about, whose project may see it."""

    operation: objects.Operation
    instance: objects.Instance

    def policy_target(self) -> dict[str, object]:
        return self.instance.policy_target()


def announce(req: wsgi.Request, compute: Any, instance: objects.Instance) -> None:
    """Tell a caller of 3.x where the work that its request started can be watched; 2.x has no such place."""
    if req.version < (3, 0):
        return
    try:
        operation = compute.get_operation(req.context, instance.uuid, req.context.request_id)
    except exceptions.NotFound:  # a delete that was already under way
        operation = compute.list_operations(req.context, instance.uuid, limit=1)[0]
    req.set_header("Location", req.url(f"/operations/{operation.uuid}"))


class OperationsController(wsgi.Controller):
    resource = "operations"
    resource_obj_cls = OperationOnServer

    def load(self, req: wsgi.Request, value: str) -> OperationOnServer:  # type: ignore[override]
        """The operation of that id on a server, deleted ones too, that the caller may see."""
        operation = self.compute.find_operation(req.context, value)
        return OperationOnServer(operation, self.compute.get_instance_any(req.context, operation.instance_uuid))

    @wsgi.route("GET", "/operations/{operation_id}", policy="os_compute_api:os-instance-actions:show")
    @wsgi.version(base="3.0")
    @wsgi.response(200, version="3.0")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.operations.show)
    def show(self, req: wsgi.Request, obj: OperationOnServer, params: wsgi.NoParams) -> dict[str, Any]:
        """Show an operation.

        Every request that is answered with 202 names its operation in ``Location``. ``state`` goes from ``pending``
        (accepted and on disk) over ``running`` to ``done`` or ``failed``; ``message`` then says why it failed.
        The operations of a deleted server can still be read.
        """
        operation = obj.operation
        return {
            "id": operation.uuid,
            "action": operation.action,
            "server_id": operation.instance_uuid,
            "state": operation.state,
            "message": operation.message,
            "request_id": operation.request_id,
            "created_at": rfc3339(operation.start_time),
            "updated_at": rfc3339(operation.updated_at),
            "links": [{"rel": "self", "href": req.url(f"/operations/{operation.uuid}")}],
        }
