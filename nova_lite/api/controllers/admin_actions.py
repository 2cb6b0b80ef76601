"""What administrators do to a server's row."""

from __future__ import annotations

from typing import TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states


class StateParams(TypedDict):
    state: str


class AdminActionsController(wsgi.Controller):
    resource = "admin_actions"
    resource_obj_cls = objects.Instance

    @wsgi.action("os-resetState", v3="reset_state", policy="os_compute_api:os-admin-actions:reset_state")
    @wsgi.verb(states.RESET_STATE)
    @wsgi.version(base="2.1")
    @wsgi.response(202, version="2.1")
    @wsgi.response(204, version="3.0")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.admin_actions.reset_state)
    def reset_state(self, req: wsgi.Request, obj: objects.Instance, params: StateParams) -> None:
        """Reset the state of a server.

        Says that it is ACTIVE or in ERROR, and that nothing is being done to it; its VM is not touched. Work that was
        accepted for it is done all the same. Done when the answer comes.
        """
        self.compute.reset_state(req.context, obj, params["state"])

    @wsgi.action("injectNetworkInfo", policy="os_compute_api:os-admin-actions:inject_network_info")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.admin_actions.inject_network_info)
    def inject_network_info(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Do nothing, as Nova does with KVM.

        Guests learn of their networks by DHCP and from their metadata.
        """
        self.compute.inject_network_info(req.context, obj)
