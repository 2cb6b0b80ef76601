"""Roles, and all assignments of them."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite.api import validation, wsgi
from nova_lite.embedded.identity import views
from nova_lite.embedded.identity.auth_controller import FORMATS
from nova_lite.embedded.identity.records import Role
from nova_lite.embedded.identity.users_controller import listed
from nova_lite.embedded.identity.verbs import Identity


class RoleValues(TypedDict, total=False):
    name: str
    description: str | None


class RoleFilters(TypedDict, total=False):
    name: str
    domain_id: str


class AssignmentFilters(TypedDict, total=False):
    user_id: str
    project_id: str
    role_id: str
    scope_domain: str
    scope_system: str
    group_id: str
    include_names: str
    effective: str


class RolesController(wsgi.Controller):
    resource = "formats"

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @wsgi.route("GET", "/roles", policy="identity:list_roles")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_roles)
    def list_roles(self, req: wsgi.Request, obj: None, params: RoleFilters) -> dict[str, Any]:
        """List roles, by name."""
        found = [] if "domain_id" in params else listed(self.identity, Role, params)  # no role is a domain's own
        return views.listing(req, "roles", [views.role(req, role) for role in found])

    @wsgi.route("POST", "/roles", policy="identity:create_role")
    @wsgi.version(base="3.0")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 409)
    @validation.schema(FORMATS.create_role)
    def create_role(self, req: wsgi.Request, obj: None, params: RoleValues) -> dict[str, Any]:
        """Create a role."""
        return views.role(req, self.identity.create(Role, params))

    @wsgi.route("GET", "/role_assignments", policy="identity:list_role_assignments")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_assignments)
    def list_assignments(self, req: wsgi.Request, obj: None, params: AssignmentFilters) -> dict[str, Any]:
        """List who has which role where."""
        filters = dict(params)
        names, effective = (
            name in filters and filters.pop(name) not in ("0", "False", "false")
            for name in ("include_names", "effective")
        )
        if filters.keys() & {"scope_domain", "scope_system", "group_id"}:
            return views.listing(req, "role_assignments", [])  # roles are users', in projects
        found = self.identity.assignments(filters, effective)  # type: ignore[arg-type]
        return views.listing(req, "role_assignments", [views.assignment(req, held, names) for held in found])


class RoleController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = Role

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @wsgi.route("GET", "/roles/{role_id}", policy="identity:get_role")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_role)
    def show_role(self, req: wsgi.Request, obj: Role, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a role."""
        return views.role(req, obj)

    @wsgi.route("PATCH", "/roles/{role_id}", policy="identity:update_role")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(FORMATS.update_role)
    def update_role(self, req: wsgi.Request, obj: Role, params: RoleValues) -> dict[str, Any]:
        """Change what is given of a role."""
        return views.role(req, self.identity.update(obj, params))

    @wsgi.route("DELETE", "/roles/{role_id}", policy="identity:delete_role")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def delete_role(self, req: wsgi.Request, obj: Role, params: wsgi.NoParams) -> None:
        """Delete a role with its role assignments."""
        self.identity.delete(obj)
