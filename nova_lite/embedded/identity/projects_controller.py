"""Projects, and who has which role in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from nova_lite.api import validation, wsgi
from nova_lite.embedded.identity import views
from nova_lite.embedded.identity.auth_controller import FORMATS
from nova_lite.embedded.identity.domain import DOMAIN_ID
from nova_lite.embedded.identity.records import Project
from nova_lite.embedded.identity.users_controller import listed
from nova_lite.embedded.identity.verbs import Identity

_GRANT = "/projects/{project_id}/users/{user_id}/roles/{role_id}"


class ProjectValues(TypedDict, total=False):
    name: str
    description: str
    enabled: bool
    tags: list[str]


class ProjectFilters(TypedDict, total=False):
    name: str
    enabled: bool
    domain_id: str
    parent_id: str
    is_domain: bool
    tags: str
    tags_any: str
    not_tags: str
    not_tags_any: str


class ShownProject(TypedDict, total=False):
    parents_as_list: str
    parents_as_ids: str
    subtree_as_list: str
    subtree_as_ids: str


#: Which tags a project that is listed has, given those that the filter names.
_TAG_FILTERS: dict[str, Callable[[set[str], set[str]], bool]] = {
    "tags": lambda named, has: named <= has,
    "tags_any": lambda named, has: bool(named & has),
    "not_tags": lambda named, has: not named <= has,
    "not_tags_any": lambda named, has: not named & has,
}


class GrantParams(TypedDict):
    user_id: str
    role_id: str


class HolderParams(TypedDict):
    user_id: str


class ProjectsController(wsgi.Controller):
    resource = "formats"

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @wsgi.route("GET", "/projects", policy="identity:list_projects")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_projects)
    def list_projects(self, req: wsgi.Request, obj: None, params: ProjectFilters) -> dict[str, Any]:
        """List projects, by name."""
        filters = dict(params)
        if filters.pop("is_domain", False) or filters.pop("parent_id", DOMAIN_ID) != DOMAIN_ID:
            return views.listing(req, "projects", [])  # a domain is no project here, and no project has children
        tests = [
            (passes, set(str(filters.pop(name)).split(","))) for name, passes in _TAG_FILTERS.items() if name in filters
        ]
        found = [
            project
            for project in listed(self.identity, Project, filters)
            if all(passes(named, set(project.tags)) for passes, named in tests)
        ]
        return views.listing(req, "projects", [views.project(req, project) for project in found])

    @wsgi.route("POST", "/projects", policy="identity:create_project")
    @wsgi.version(base="3.0")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 409)
    @validation.schema(FORMATS.create_project)
    def create_project(self, req: wsgi.Request, obj: None, params: ProjectValues) -> dict[str, Any]:
        """Create a project."""
        return views.project(req, self.identity.create(Project, params))


class ProjectController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = Project

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @wsgi.route("GET", "/projects/{project_id}", policy="identity:get_project")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_project)
    def show_project(self, req: wsgi.Request, obj: Project, params: ShownProject) -> dict[str, Any]:
        """Show a project; with what it lies below and what lies below it, which is the domain and nothing."""
        beside: dict[str, Any] = {}
        if params.keys() & {"parents_as_list", "parents_as_ids"}:
            beside["parents"] = [] if "parents_as_list" in params else {DOMAIN_ID: None}
        if params.keys() & {"subtree_as_list", "subtree_as_ids"}:
            beside["subtree"] = [] if "subtree_as_list" in params else None
        return views.project(req, obj) | beside

    @wsgi.route("PATCH", "/projects/{project_id}", policy="identity:update_project")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(FORMATS.update_project)
    def update_project(self, req: wsgi.Request, obj: Project, params: ProjectValues) -> dict[str, Any]:
        """Change what is given of a project."""
        return views.project(req, self.identity.update(obj, params))

    @wsgi.route("DELETE", "/projects/{project_id}", policy="identity:delete_project")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def delete_project(self, req: wsgi.Request, obj: Project, params: wsgi.NoParams) -> None:
        """Delete a project with its role assignments."""
        self.identity.delete(obj)

    @wsgi.route("GET", "/projects/{project_id}/users/{user_id}/roles", policy="identity:list_grants")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.list_grants)
    def list_grants(self, req: wsgi.Request, obj: Project, params: HolderParams) -> dict[str, Any]:
        """List the roles that a user was given in a project."""
        roles = self.identity.roles_of(obj, params["user_id"])
        path = f"projects/{obj.id}/users/{params['user_id']}/roles"
        return views.listing(req, "roles", [views.role(req, role) for role in roles], path)

    @wsgi.route("GET", _GRANT, policy="identity:check_grant")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def check_grant(self, req: wsgi.Request, obj: Project, params: GrantParams) -> None:
        """Whether a user was given a role in a project."""
        self.identity.check_assignment(obj, params["user_id"], params["role_id"])

    @wsgi.route("PUT", _GRANT, policy="identity:create_grant")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def create_grant(self, req: wsgi.Request, obj: Project, params: GrantParams) -> None:
        """Give a user a role in a project."""
        self.identity.assign(obj, params["user_id"], params["role_id"])

    @wsgi.route("DELETE", _GRANT, policy="identity:revoke_grant")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def revoke_grant(self, req: wsgi.Request, obj: Project, params: GrantParams) -> None:
        """Take a role in a project from a user."""
        self.identity.unassign(obj, params["user_id"], params["role_id"])
