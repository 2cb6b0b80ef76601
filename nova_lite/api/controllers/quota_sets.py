"""Quota sets: what a project, or a user in it, may have."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.quota_limits import Limits

_ITEM = {2: "/os-quota-sets/{tenant_id}", 3: "/quota-sets/{tenant_id}"}


class ItemParams(TypedDict, total=False):
    tenant_id: str


class UserParams(ItemParams, total=False):
    user_id: str


class UpdateParams(UserParams, Limits, total=False):
    force: bool


def _project(req: wsgi.Request) -> dict[str, Any]:
    """Policy is about the project that the path names."""
    return {"project_id": req.fields["tenant_id"], "user_id": req.context.user_id}


class QuotaSetsController(wsgi.Controller):
    resource = "quota_sets"

    @wsgi.route("GET", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-quota-sets:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @wsgi.target(_project)
    @validation.schema(schemas.quota_sets.show)
    def show(self, req: wsgi.Request, obj: None, params: UserParams) -> dict[str, Any]:
        """Show the quotas of a project, or of one user in it.

        -1 is unlimited; memory is in MiB. A limit is what was set for the user, else for the project, else for the
        quota class ``default``, else what is configured.
        """
        project_id = params["tenant_id"]
        return {"id": project_id} | self.compute.quota_limits(req.context, project_id, params.get("user_id"))

    @wsgi.route("GET", f"{_ITEM[2]}/detail", v3=f"{_ITEM[3]}/detail", policy="os_compute_api:os-quota-sets:detail")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @wsgi.target(_project)
    @validation.schema(schemas.quota_sets.detail)
    def detail(self, req: wsgi.Request, obj: None, params: UserParams) -> dict[str, Any]:
        """Show the quotas of a project with what is used of them.

        Of servers, their vCPUs and memory, and server groups; what is limited for each server or user on its own
        counts as unused. Nothing is ever reserved.
        """
        project_id = params["tenant_id"]
        details = self.compute.quota_details(req.context, project_id, params.get("user_id"))
        flat = {f"{name}_{kind}": value for name, kinds in details.items() for kind, value in kinds.items()}
        return {"id": project_id} | flat

    @wsgi.route(
        "GET", f"{_ITEM[2]}/defaults", v3=f"{_ITEM[3]}/defaults", policy="os_compute_api:os-quota-sets:defaults"
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @wsgi.target(_project)
    @validation.schema(schemas.quota_sets.defaults)
    def defaults(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """Show the quotas of projects that have none of their own."""
        return {"id": params["tenant_id"]} | self.compute.quota_class(req.context)

    @wsgi.route("PUT", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-quota-sets:update")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @wsgi.target(_project)
    @validation.schema(schemas.quota_sets.update)
    def update(self, req: wsgi.Request, obj: None, params: UpdateParams) -> dict[str, Any]:
        """Change quotas of a project, or of one user in it.

        400 for less than is used, and for more than the project has left for the user, unless ``force`` is given.
        """
        limits: dict[str, Any] = dict(params)
        project_id, user_id = limits.pop("tenant_id"), limits.pop("user_id", None)
        force = limits.pop("force", False)
        set_now = self.compute.set_quotas(req.context, project_id, limits, user_id or None, force)
        return {"id": project_id} | set_now

    @wsgi.route("DELETE", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-quota-sets:delete")
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.response(204, version="3.0")
    @wsgi.expected_errors()
    @wsgi.target(_project)
    @validation.schema(schemas.quota_sets.delete)
    def delete(self, req: wsgi.Request, obj: None, params: UserParams) -> None:
        """Set the quotas of a project and its users, or of one user, back to the defaults."""
        self.compute.delete_quotas(req.context, params["tenant_id"], params.get("user_id") or None)
