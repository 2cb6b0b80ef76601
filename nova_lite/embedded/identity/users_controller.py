"""Users: their records, their projects, their passwords."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite.api import validation, wsgi
from nova_lite.embedded.identity import views
from nova_lite.embedded.identity.auth_controller import FORMATS
from nova_lite.embedded.identity.domain import DOMAIN_ID
from nova_lite.embedded.identity.records import User
from nova_lite.embedded.identity.verbs import Identity


class UserValues(TypedDict, total=False):
    name: str
    password: str | None
    email: str | None
    enabled: bool
    description: str | None
    default_project_id: str | None


class UserFilters(TypedDict, total=False):
    name: str
    enabled: bool
    domain_id: str


class PasswordParams(TypedDict):
    original_password: str
    password: str


def listed(identity: Identity, kind: type[Any], params: Any) -> list[Any]:
    """All of a kind that pass the query's filters; another domain has nothing."""
    filters = dict(params)
    if filters.pop("domain_id", DOMAIN_ID) != DOMAIN_ID:
        return []
    return identity.list_(kind, filters)


class UsersController(wsgi.Controller):
    resource = "formats"

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @wsgi.route("GET", "/users", policy="identity:list_users")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_users)
    def list_users(self, req: wsgi.Request, obj: None, params: UserFilters) -> dict[str, Any]:
        """List users, by name."""
        return views.listing(req, "users", [views.user(req, user) for user in listed(self.identity, User, params)])

    @wsgi.route("POST", "/users", policy="identity:create_user")
    @wsgi.version(base="3.0")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 409)
    @validation.schema(FORMATS.create_user)
    def create_user(self, req: wsgi.Request, obj: None, params: UserValues) -> dict[str, Any]:
        """Create a user."""
        return views.user(req, self.identity.create(User, params))


class UserController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = User

    def __init__(self, identity: Identity) -> None:
        self.identity = identity

    @wsgi.route("GET", "/users/{user_id}", policy="identity:get_user")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_user)
    def show_user(self, req: wsgi.Request, obj: User, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a user."""
        return views.user(req, obj)

    @wsgi.route("PATCH", "/users/{user_id}", policy="identity:update_user")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(FORMATS.update_user)
    def update_user(self, req: wsgi.Request, obj: User, params: UserValues) -> dict[str, Any]:
        """Change what is given of a user."""
        return views.user(req, self.identity.update(obj, params))

    @wsgi.route("DELETE", "/users/{user_id}", policy="identity:delete_user")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def delete_user(self, req: wsgi.Request, obj: User, params: wsgi.NoParams) -> None:
        """Delete a user with its role assignments."""
        self.identity.delete(obj)

    @wsgi.route("POST", "/users/{user_id}/password", policy="identity:change_password")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(400, 401, 404)
    @validation.schema(FORMATS.change_password)
    def change_password(self, req: wsgi.Request, obj: User, params: PasswordParams) -> None:
        """Change a password by showing the present one; ends all tokens of the user."""
        self.identity.change_password(obj, params["original_password"], params["password"])

    @wsgi.route("GET", "/users/{user_id}/projects", policy="identity:list_user_projects")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.user_projects)
    def user_projects(self, req: wsgi.Request, obj: User, params: wsgi.NoParams) -> dict[str, Any]:
        """List the projects in which a user has a role."""
        found = [views.project(req, project) for project in self.identity.projects_of(obj.id)]
        return views.listing(req, "projects", found, f"users/{obj.id}/projects")

    @wsgi.route("GET", "/users/{user_id}/groups", policy="identity:list_groups_for_user")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.user_groups)
    def user_groups(self, req: wsgi.Request, obj: User, params: wsgi.NoParams) -> dict[str, Any]:
        """List the groups that a user is in: none."""
        return views.listing(req, "groups", [], f"users/{obj.id}/groups")
