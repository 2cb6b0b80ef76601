"""Flavor access: which projects may use a private flavor."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi

_ACTION_PATH = "/flavors/{flavor_id}/action"


class AccessParams(TypedDict, total=False):
    project_id: str


class FlavorAccessController(wsgi.Controller):
    resource = "flavor_access"
    resource_obj_cls = objects.Flavor

    @wsgi.route(
        "GET",
        "/flavors/{flavor_id}/os-flavor-access",
        v3="/flavors/{flavor_id}/access",
        policy="os_compute_api:os-flavor-access",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.flavor_access.index)
    def index(self, req: wsgi.Request, obj: objects.Flavor, params: wsgi.NoParams) -> dict[str, Any]:
        """List the projects that may use a private flavor.

        404 for a public flavor: everybody may use it, so it has no list.
        """
        if obj.is_public:
            raise exceptions.NotFound("Access list not available for public flavors.")
        return _view(obj)

    @wsgi.action(
        "addTenantAccess",
        v3="add_project_access",
        path=_ACTION_PATH,
        policy="os_compute_api:os-flavor-access:add_tenant_access",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.flavor_access.add)
    def add(self, req: wsgi.Request, obj: objects.Flavor, params: AccessParams) -> dict[str, Any]:
        """Let a project use a private flavor.

        Answers with the whole list. 409 when the project is on it already and, from 2.7 on, for a public flavor.
        """
        if obj.is_public and req.version >= (2, 7):
            raise exceptions.Conflict("Can not add access to a public flavor.")
        return _view(self.compute.add_flavor_access(req.context, obj, params["project_id"]))

    @wsgi.action(
        "removeTenantAccess",
        v3="remove_project_access",
        path=_ACTION_PATH,
        policy="os_compute_api:os-flavor-access:remove_tenant_access",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.flavor_access.remove)
    def remove(self, req: wsgi.Request, obj: objects.Flavor, params: AccessParams) -> dict[str, Any]:
        """Take a private flavor away from a project.

        Answers with what is left of the list. Servers of the project keep running. 404 when the project is not on it.
        """
        return _view(self.compute.remove_flavor_access(req.context, obj, params["project_id"]))


def _view(flavor: objects.Flavor) -> dict[str, Any]:
    return {"flavor_access": [{"flavor_id": flavor.flavorid, "project_id": project} for project in flavor.projects]}
