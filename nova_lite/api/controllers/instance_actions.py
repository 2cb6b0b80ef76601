"""os-instance-actions: what was done to a server, read from the journal of operations."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import pages, validation, wsgi
from nova_lite.api.controllers.server_facts import host_id
from nova_lite.api.times import naive, rfc3339

_PATH = "/servers/{server_id}/os-instance-actions"
_PATH_3 = "/servers/{server_id}/actions"


class ListParams(TypedDict, total=False):
    changes_before: datetime
    changes_since: datetime
    limit: int
    marker: str


class ShowParams(TypedDict):
    request_id: str


class InstanceActionsController(wsgi.Controller):
    resource = "instance_actions"
    resource_obj_cls = objects.Instance

    def load(self, req: wsgi.Request, value: str) -> objects.Instance:  # type: ignore[override]
        """The server; from 2.21 on also a deleted one."""
        find = self.compute.get_instance_any if req.version >= (2, 21) else self.compute.get
        return find(req.context, value)

    @wsgi.route("GET", _PATH, v3=_PATH_3, policy="os_compute_api:os-instance-actions:list")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.instance_actions.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: ListParams) -> dict[str, Any]:
        """List a server's actions.

        The newest first. From 2.21 on those of deleted servers can be read; from 2.58 on ``limit`` and ``marker``
        (a request id) make pages, and ``changes-since`` and, from 2.66 on, ``changes-before`` filter by time.
        """
        since, before = params.get("changes_since"), params.get("changes_before")
        if since and before and before < since:
            raise exceptions.Invalid("The value of changes-since must be less than or equal to changes-before.")
        max_limit = self.compute.conf.api.max_limit
        paged = req.version >= (2, 58)
        operations = self.compute.list_operations(
            req.context,
            obj.uuid,
            limit=pages.page_size(params, max_limit) if paged else None,
            marker=params.get("marker"),
            changes_since=since,
            changes_before=before,
        )
        path = (_PATH_3 if req.version >= (3, 0) else _PATH).format(server_id=obj.uuid)
        markers = [operation.request_id for operation in operations]
        return {"actions": [_action(operation) for operation in operations]} | pages.next_links(
            req, "actions", path, markers, params, max_limit
        )

    @wsgi.route(
        "GET",
        f"{_PATH}/{{request_id}}",
        v3=f"{_PATH_3}/{{request_id}}",
        policy="os_compute_api:os-instance-actions:show",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.instance_actions.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: ShowParams) -> dict[str, Any]:
        """Show one action on a server, by the id of the request that asked for it.

        ``events`` are its steps. Until 2.50 only those who pass ``os_compute_api:os-instance-actions:events`` see
        them; from 2.51 on everyone does, but for ``traceback``, and from 2.62 ``host``. ``details`` (2.84) of a failed
        step have a rule of their own.
        """
        operation = self.compute.get_operation(req.context, obj.uuid, params["request_id"])
        events = [_event(event, operation, obj.project_id) for event in operation.events]
        return _action(operation) | {"events": events}


def _action(operation: objects.Operation) -> dict[str, Any]:
    return {
        "action": operation.action,
        "instance_uuid": operation.instance_uuid,
        "message": operation.message,
        "project_id": operation.project_id,
        "request_id": operation.request_id,
        "start_time": rfc3339(operation.start_time),
        "start_time_naive": naive(operation.start_time),
        "updated_at": rfc3339(operation.updated_at),
        "updated_at_naive": naive(operation.updated_at),
        "user_id": operation.user_id,
    }


def _event(event: objects.Event, operation: objects.Operation, project_id: str) -> dict[str, Any]:
    return {
        "event": event.name,
        "start_time": rfc3339(event.start_time),
        "start_time_naive": naive(event.start_time),
        "finish_time": rfc3339(event.finish_time),
        "finish_time_naive": naive(event.finish_time),
        "result": event.result,
        "traceback": event.traceback,
        "details": event.details,
        "host": event.host or "",
        "host_id": host_id(event.host, operation.project_id or project_id),
    }
