"""Application credentials: what programs log in with in place of their user's password."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions
from nova_lite.api import validation, wsgi
from nova_lite.embedded.identity import views
from nova_lite.embedded.identity.auth_controller import FORMATS
from nova_lite.embedded.identity.records import User
from nova_lite.embedded.identity.verbs import Identity

_ALL = "/users/{user_id}/application_credentials"
_ONE = f"{_ALL}/{{application_credential_id}}"


class CredentialValues(TypedDict, total=False):
    name: str
    secret: str | None
    description: str | None
    expires_at: str | None
    unrestricted: bool | None
    roles: list[dict[str, Any]]
    access_rules: list[dict[str, Any]]


class CredentialFilters(TypedDict, total=False):
    name: str


class CredentialParams(TypedDict):
    application_credential_id: str


class ApplicationCredentialController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = User

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @wsgi.route("GET", _ALL, policy="identity:list_application_credentials")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.list_application_credentials)
    def list_application_credentials(self, req: wsgi.Request, obj: User, params: CredentialFilters) -> dict[str, Any]:
        """List a user's application credentials."""
        found = self.identity.credentials.list_(obj, params.get("name"))
        shown = [views.application_credential(req, *one) for one in found]
        return views.listing(req, "application_credentials", shown, f"users/{obj.id}/application_credentials")

    @wsgi.route("POST", _ALL, policy="identity:create_application_credential")
    @wsgi.version(base="3.0")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(FORMATS.create_application_credential)
    def create_application_credential(self, req: wsgi.Request, obj: User, params: CredentialValues) -> dict[str, Any]:
        """Create an application credential for the project of one's token; only this answer has its secret."""
        self._check_unrestricted(req)
        if params.get("access_rules"):
            raise exceptions.Invalid("access_rules: the services of this cloud do not look at them: give roles.")
        made, roles, secret = self.identity.credentials.create(obj, req.context.project_id, params)
        return views.application_credential(req, made, roles) | {"secret": secret}

    @wsgi.route("GET", _ONE, policy="identity:get_application_credential")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_application_credential)
    def show_application_credential(self, req: wsgi.Request, obj: User, params: CredentialParams) -> dict[str, Any]:
        """Show an application credential, without its secret."""
        found, roles = self.identity.credentials.get(obj, params["application_credential_id"])
        return views.application_credential(req, found, roles)

    @wsgi.route("DELETE", _ONE, policy="identity:delete_application_credential")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(403, 404)
    @validation.schema(FORMATS.delete_application_credential)
    def delete_application_credential(self, req: wsgi.Request, obj: User, params: CredentialParams) -> None:
        """Delete an application credential; its tokens end."""
        self._check_unrestricted(req)
        self.identity.credentials.delete(obj, params["application_credential_id"])

    def _check_unrestricted(self, req: wsgi.Request) -> None:
        """What was logged in with an application credential makes no further ones, unless it is said that it may."""
        token = self.identity.tokens.find(req.http.get_header("X-Auth-Token") or "")
        if token is not None and token.credential is not None and not token.credential.unrestricted:
            raise exceptions.Forbidden(
                "Using method 'application_credential' is not allowed for managing additional application credentials."
            )
