"""What a caller may do to a server now, in 3.x: policy, lock and state asked without doing anything."""

from __future__ import annotations

from typing import Any

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.operations import Operation
from nova_lite.compute import states


class AllowedActionsController(wsgi.Controller):
    resource = "allowed_actions"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", "/servers/{server_id}/allowed-actions", policy="os_compute_api:servers:show")
    @wsgi.version(base="3.0")
    @wsgi.response(200, version="3.0")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.allowed_actions.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List what can be done to a server.

        Every operation that changes the server, with whether this caller could do it now. Where not, ``refused_by``
        is ``policy`` (the caller may never do it) or ``state`` (somebody may, later: the server is locked, busy, or in
        a state that has to end first), and ``reason`` is what a request would be answered with. What a request would
        say beyond that (a flavor that does not exist, a quota) is not considered.
        """
        return {
            "allowed_actions": [
                self._view(req, obj, operation)
                for operation in sorted(req.table, key=lambda operation: operation.name)
                if operation.verbs and operation.at(req.version) is not None
            ]
        }

    def _view(self, req: wsgi.Request, obj: objects.Instance, operation: Operation) -> dict[str, Any]:
        refused_by, reason = None, None
        if not req.allowed(operation.policy):
            refused_by, reason = "policy", f"Policy doesn't allow {operation.policy} to be performed."
        else:
            # Where the body chooses between verbs, one that is legal is enough.
            reasons = [states.refusal(verb, obj, bool(req.context.is_admin)) for verb in operation.verbs]
            if None not in reasons:
                refused_by, reason = "state", reasons[0]
        major = req.version.major
        return {
            "operation": operation.name,
            "action": operation.actions.get(major),
            "method": operation.method,
            "path": operation.paths[major].replace("{server_id}", obj.uuid),
            "allowed": refused_by is None,
            "refused_by": refused_by,
            "reason": reason,
        }
