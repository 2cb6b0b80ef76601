"""Operations: the work behind every answer 202 of 3.x, to be polled until it is done or failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypedDict

from nova_lite import conf as conf_module
from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.events import answer_headers
from nova_lite.db import operations as db_operations
from nova_lite.events import documents, handover

_WAIT = 60  # seconds, unless told


class WaitParams(TypedDict, total=False):
    timeout: int


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
        try:
            instance = self.compute.get_instance_any(req.context, operation.instance_uuid)
        except exceptions.NotFound as error:  # a stranger learns neither that it is there nor of what server
            raise exceptions.NotFound(f"Operation {value} could not be found.") from error
        return OperationOnServer(operation, instance)

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
        return self._view(req, obj)

    @wsgi.route("GET", "/operations/{operation_id}/wait", policy="os_compute_api:os-instance-actions:show")
    @wsgi.version(base="3.0")
    @wsgi.response(200, version="3.0")
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.operations.wait)
    def wait(
        self, req: wsgi.Request, obj: OperationOnServer, params: WaitParams
    ) -> dict[str, Any] | handover.HandedOver:
        """Wait for the end of an operation.

        Answers as showing it does, as soon as it is ``done`` or ``failed``; after ``timeout`` seconds (60 unless told,
        3600 at most) in any case, with ``state`` as it is then.
        """
        timeout = params.get("timeout", _WAIT)
        if not timeout or obj.operation.state not in db_operations.OUTSTANDING:
            return self._view(req, obj)
        wish = handover.Wish(
            headers=answer_headers(req),
            operation=obj.operation.uuid,
            href=self._href(req, obj),
            timeout=timeout,
        )
        return handover.hand_over(conf_module.paths(self.compute.conf).events_socket, req.http.env, wish)

    def _view(self, req: wsgi.Request, obj: OperationOnServer) -> dict[str, Any]:
        return documents.operation(obj.operation, self._href(req, obj))

    def _href(self, req: wsgi.Request, obj: OperationOnServer) -> str:
        return req.url(f"/operations/{obj.operation.uuid}")
