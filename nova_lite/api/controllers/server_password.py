"""The password that a guest made for its owner and left with the metadata service, encrypted with the owner's key."""

from __future__ import annotations

from typing import Any

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute.server_metadata import PASSWORD

_PATH, _PATH_V3 = "/servers/{server_id}/os-server-password", "/servers/{server_id}/password"


class ServerPasswordController(wsgi.Controller):
    resource = "server_password"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _PATH, v3=_PATH_V3, policy="os_compute_api:os-server-password:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_password.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """Show the password that the guest has left; "" when it has left none.

        It is what the guest posted to the metadata service: by custom in base64, encrypted with the public key that
        the server was created with.
        """
        return {"password": obj.system_metadata.get(PASSWORD, "")}

    @wsgi.route("DELETE", _PATH, v3=_PATH_V3, policy="os_compute_api:os-server-password:clear")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def clear(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Forget the password that the guest has left; the guest itself keeps it."""
        self.compute.clear_server_password(req.context, obj)
