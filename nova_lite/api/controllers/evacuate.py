"""Evacuate: rebuilding a server of a failed host on another one. The seed exhibit of versions as data.

Nova changed this action at 2.14, 2.29, 2.68 and 2.95, and 3.0 renames it throughout. Formats are in the schemas, the
status is a decorator; here is what changed in meaning.
"""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.api.controllers.server_create import password_of
from nova_lite.compute import states


class EvacuateParams(TypedDict, total=False):
    admin_password: str
    force: bool
    host: str
    on_shared_storage: bool


class EvacuateController(wsgi.Controller):
    resource = "evacuate"
    resource_obj_cls = objects.Instance

    @wsgi.verb(states.EVACUATE)
    @wsgi.action("evacuate", policy="os_compute_api:os-evacuate")
    @wsgi.version(base="2.1", max="2.28")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.evacuate.evacuate)
    def evacuate(self, req: wsgi.Request, obj: objects.Instance, params: EvacuateParams) -> dict[str, Any]:
        """Rebuild a server of a failed host on another one.

        A given ``host`` is taken on trust. The server goes on there as it was.
        """
        return self._evacuate(req, obj, params, force=None)

    @wsgi.version(base="2.29", max="2.94")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.evacuate.evacuate)
    def evacuate(  # type: ignore[no-redef]
        self, req: wsgi.Request, obj: objects.Instance, params: EvacuateParams
    ) -> dict[str, Any]:
        """Rebuild a server of a failed host on another one.

        A given ``host`` must have room for the server, unless ``force`` (until 2.67) says to take it on trust.
        The server goes on there as it was.
        """
        return self._evacuate(req, obj, params, force=params.get("force", False))

    @wsgi.version(base="2.95")
    @wsgi.response(200, version="2.95")
    @wsgi.response(202, version="3.0")
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.evacuate.evacuate)
    def evacuate(  # type: ignore[no-redef]
        self, req: wsgi.Request, obj: objects.Instance, params: EvacuateParams
    ) -> dict[str, Any]:
        """Rebuild a server of a failed host on another one.

        A given ``host`` must have room for the server, which stays stopped there until it is started. Images and
        consoles belong to one host here, so while there is one host only, no other can take the server: the
        operation ends failed with "No valid host was found", and the server keeps its state. 400 while the compute
        service of its host is up.
        """
        return self._evacuate(req, obj, params, force=False, stay_stopped=True)

    def _evacuate(
        self,
        req: wsgi.Request,
        obj: objects.Instance,
        params: EvacuateParams,
        force: bool | None,
        stay_stopped: bool = False,
    ) -> dict[str, Any]:
        shared = params.get("on_shared_storage", False)
        if shared and "admin_password" in params:
            raise exceptions.Invalid("admin password can't be changed on existing disk")
        self.compute.evacuate(req.context, obj, host=params.get("host"), force=force, stay_stopped=stay_stopped)
        announce(req, self.compute, obj)
        if not self.compute.conf.api.enable_instance_password:
            return {}
        return {"admin_password": None if shared else password_of(params)}
