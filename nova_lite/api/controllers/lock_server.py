"""Lock and unlock: keeping a server as it is."""

from __future__ import annotations

from typing import TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states


class LockParams(TypedDict, total=False):
    locked_reason: str


class LockServerController(wsgi.Controller):
    resource = "lock_server"
    resource_obj_cls = objects.Instance

    @wsgi.action("lock", policy="os_compute_api:os-lock-server:lock")
    @wsgi.verb(states.LOCK)
    @wsgi.version(base="2.1")
    @wsgi.response(202, version="2.1")
    @wsgi.response(204, version="3.0")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.lock_server.lock)
    def lock(self, req: wsgi.Request, obj: objects.Instance, params: LockParams) -> None:
        """Lock a server.

        Actions and deletes by anyone but administrators are refused with 409 until it is unlocked. A lock set by an
        administrator stays when a member locks the server again. Done when the answer comes.
        """
        self.compute.lock(req.context, obj, reason=params.get("locked_reason"))

    @wsgi.action("unlock", policy="os_compute_api:os-lock-server:unlock")
    @wsgi.verb(states.UNLOCK)
    @wsgi.version(base="2.1")
    @wsgi.response(202, version="2.1")
    @wsgi.response(204, version="3.0")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.lock_server.unlock)
    def unlock(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Unlock a server.

        A lock that someone else set, an administrator for instance, needs the rule
        ``os_compute_api:os-lock-server:unlock:unlock_override``. Done when the answer comes.
        """
        if not self.compute.is_expected_locked_by(req.context, obj):
            req.authorize("os_compute_api:os-lock-server:unlock:unlock_override")
        self.compute.unlock(req.context, obj)
