"""changePassword: setting the password of a guest's administrator, which takes an agent in the guest."""

from __future__ import annotations

from typing import TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states


class PasswordParams(TypedDict):
    admin_password: str


class AdminPasswordController(wsgi.Controller):
    resource = "admin_password"
    resource_obj_cls = objects.Instance

    @wsgi.action("changePassword", v3="change_password", policy="os_compute_api:os-admin-password")
    @wsgi.verb(states.CHANGE_PASSWORD)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.admin_password.change_password)
    def change_password(self, req: wsgi.Request, obj: objects.Instance, params: PasswordParams) -> None:
        """Set the password of a server's administrator.

        Always 409 here, in the words of Nova for a guest whose agent does not answer: VMs have no channel to one. A
        guest can make a password itself and leave it with the metadata service.
        """
        self.compute.change_password(req.context, obj)
