"""Roles, all assignments, and what there is one of: the domain, the region, the services."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions
from nova_lite.api import validation, wsgi
from nova_lite.embedded.identity import views
from nova_lite.embedded.identity.auth_controller import FORMATS
from nova_lite.embedded.identity.records import Role
from nova_lite.embedded.identity.users_controller import listed
from nova_lite.embedded.identity.verbs import DOMAIN_ID, DOMAIN_NAME, Identity


class RoleValues(TypedDict, total=False):
    name: str
    description: str | None


class RoleFilters(TypedDict, total=False):
    name: str


class AssignmentFilters(TypedDict, total=False):
    user_id: str
    project_id: str
    role_id: str
    include_names: str


class DomainFilters(TypedDict, total=False):
    name: str
    enabled: bool


class DomainParams(TypedDict):
    domain_id: str


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
        return views.listing(req, "roles", [views.role(req, role) for role in listed(self.identity, Role, params)])

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
        names = "include_names" in filters and filters.pop("include_names") not in ("0", "False", "false")
        found = self.identity.assignments(filters)  # type: ignore[arg-type]
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


class CatalogController(wsgi.Controller):
    resource = "formats"

    def __init__(self, catalog: views.Catalog) -> None:
        self.catalog = catalog

    @wsgi.route("GET", "/domains", policy="identity:list_domains")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_domains)
    def list_domains(self, req: wsgi.Request, obj: None, params: DomainFilters) -> dict[str, Any]:
        """List domains: there is one."""
        passes = params.get("name", DOMAIN_NAME).lower() == DOMAIN_NAME.lower() and params.get("enabled", True)
        return views.listing(req, "domains", [views.domain(req)] if passes else [])

    @wsgi.route("GET", "/domains/{domain_id}", policy="identity:get_domain")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_domain)
    def show_domain(self, req: wsgi.Request, obj: None, params: DomainParams) -> dict[str, Any]:
        """Show a domain."""
        if params["domain_id"] != DOMAIN_ID:
            raise exceptions.NotFound(f"Could not find domain: {params['domain_id'][:255]}.")
        return views.domain(req)

    @wsgi.route("GET", "/regions", policy="identity:list_regions")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_regions)
    def list_regions(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List regions: there is one."""
        region = {"id": self.catalog.region, "description": "", "parent_region_id": None}
        return views.listing(req, "regions", [region])

    @wsgi.route("GET", "/services", policy="identity:list_services")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_services)
    def list_services(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List the services in the catalog."""
        return views.listing(req, "services", self.catalog.services())

    @wsgi.route("GET", "/endpoints", policy="identity:list_endpoints")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_endpoints)
    def list_endpoints(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List the endpoints in the catalog."""
        return views.listing(req, "endpoints", self.catalog.endpoints(views.root_url(req)))
