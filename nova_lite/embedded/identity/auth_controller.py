"""Tokens: getting, looking at and revoking them."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, schemas
from nova_lite.api import validation, wsgi
from nova_lite.embedded.identity import formats, views
from nova_lite.embedded.identity.tokens import Token
from nova_lite.embedded.identity.verbs import Identity

FORMATS = schemas.of_module(formats, 3)


class AuthenticateParams(TypedDict, total=False):
    methods: list[str]
    user_id: str
    user_name: str
    user_domain_id: str
    user_domain_name: str
    password: str
    token: str
    credential_id: str
    credential_name: str
    credential_secret: str
    credential_user_id: str
    credential_user_name: str
    credential_user_domain_id: str
    credential_user_domain_name: str
    scope: Any


class TokenParams(TypedDict, total=False):
    nocatalog: str


class AuthController(wsgi.Controller):
    resource = "formats"

    def __init__(self, identity: Identity, catalog: views.Catalog) -> None:
        self.identity, self.services = identity, catalog

    @wsgi.route("POST", "/auth/tokens", policy="identity:authenticate")
    @wsgi.version(base="3.0")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 401, 403, 404)
    @validation.schema(FORMATS.authenticate)
    def authenticate(self, req: wsgi.Request, obj: None, params: AuthenticateParams) -> dict[str, Any]:
        """Get a token, by password or by another token."""
        text, token = self.identity.authenticate(params)
        req.set_header("X-Subject-Token", text)
        req.set_header("Vary", "X-Auth-Token")
        return views.token(token, None if "nocatalog" in req.query else self._catalog(req))

    @wsgi.route("GET", "/auth/tokens", policy="identity:validate_token")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.validate)
    def validate(self, req: wsgi.Request, obj: None, params: TokenParams) -> dict[str, Any]:
        """Show what the token in X-Subject-Token stands for."""
        text, token = self._subject(req, "identity:validate_token")
        req.set_header("X-Subject-Token", text)
        req.set_header("Vary", "X-Auth-Token")
        return views.token(token, None if "nocatalog" in params else self._catalog(req))

    @wsgi.route("HEAD", "/auth/tokens", policy="identity:check_token")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.check)
    def check(self, req: wsgi.Request, obj: None, params: TokenParams) -> None:
        """Whether the token in X-Subject-Token is good."""
        req.set_header("X-Subject-Token", self._subject(req, "identity:check_token")[0])

    @wsgi.route("DELETE", "/auth/tokens", policy="identity:revoke_token")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.revoke)
    def revoke(self, req: wsgi.Request, obj: None, params: TokenParams) -> None:
        """End the token in X-Subject-Token; every process refuses it within a second."""
        self.identity.tokens.revoke(self._subject(req, "identity:revoke_token")[1])

    @wsgi.route("GET", "/auth/catalog", policy="identity:get_auth_catalog")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(403)
    @validation.schema(FORMATS.catalog)
    def catalog(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """The services that the caller's token leads to."""
        if req.context.project_id is None:
            raise exceptions.Forbidden("A token that is not scoped leads nowhere.")
        return {"catalog": self._catalog(req), "links": {"self": views.url(req, "auth/catalog")}}

    @wsgi.route("GET", "/auth/projects", policy="identity:get_auth_projects")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.own_projects)
    def own_projects(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """The projects that the caller can get a token for."""
        found = self.identity.projects_of(str(req.context.user_id))
        return views.listing(req, "projects", [views.project(req, project) for project in found], "auth/projects")

    @wsgi.route("GET", "/auth/domains", policy="identity:get_auth_domains")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.own_domains)
    def own_domains(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """The domains that the caller can get a token for: none, as there are no roles on domains."""
        return views.listing(req, "domains", [], "auth/domains")

    def _subject(self, req: wsgi.Request, rule: str) -> tuple[str, Token]:
        """What X-Subject-Token names; ``rule`` is asked about it, the operation's own having been about nobody yet."""
        text = req.http.get_header("X-Subject-Token")
        if not text:
            raise exceptions.NotFound("No token in the request")
        token = self.identity.tokens.find(text)
        if token is None:
            raise exceptions.NotFound("Could not find token.")
        req.authorize(rule, {"user_id": token.user.id})
        return text, token

    def _catalog(self, req: wsgi.Request) -> list[dict[str, Any]]:
        return self.services.catalog(views.root_url(req))
