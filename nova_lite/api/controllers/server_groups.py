"""Server groups: servers to be placed together or apart."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi

_LIST = {2: "/os-server-groups", 3: "/server-groups"}
_ITEM = {2: "/os-server-groups/{server_group_id}", 3: "/server-groups/{server_group_id}"}


class ListParams(TypedDict, total=False):
    all_projects: str
    limit: int
    offset: int


class CreateParams(TypedDict, total=False):
    name: str
    policies: list[str]
    policy: str
    max_server_per_host: int


class ServerGroupsController(wsgi.Controller):
    resource = "server_groups"
    resource_obj_cls = objects.ServerGroup

    @wsgi.route("GET", _LIST[2], v3=_LIST[3], policy="os_compute_api:os-server-groups:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.server_groups.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List server groups.

        Those of the project; administrators see those of every project with ``all_projects``, which others may send
        in vain. ``limit`` and ``offset`` make pages. ``members`` are the servers that are not deleted.
        """
        all_projects = "all_projects" in params and bool(req.context.is_admin)
        if all_projects:
            req.authorize("os_compute_api:os-server-groups:index:all_projects")
        most = self.compute.conf.api.max_limit
        groups = self.compute.list_server_groups(
            req.context,
            all_projects=all_projects,
            limit=min(params.get("limit") or most, most),
            offset=params.get("offset", 0),
        )
        return {"server_groups": [_view(group) for group in groups]}

    @wsgi.route("POST", _LIST[2], v3=_LIST[3], policy="os_compute_api:os-server-groups:create")
    @wsgi.version(base="2.1")
    @wsgi.response(200, version="2.1")
    @wsgi.response(201, version="3.0")
    @wsgi.expected_errors(400, 403, 409)
    @validation.schema(schemas.server_groups.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Create a server group.

        A new server joins it by the scheduler hint ``group``. With ``affinity`` its servers share a host, with
        ``anti-affinity`` no host gets more of them than ``max_server_per_host`` (one, unless the group says more);
        the soft policies are wishes. A server that cannot be placed so goes to ERROR.
        """
        rules = {"max_server_per_host": params["max_server_per_host"]} if "max_server_per_host" in params else {}
        group = self.compute.create_server_group(
            req.context,
            name=params["name"],
            policy=params["policy"] if "policy" in params else params["policies"][0],
            rules=rules,
        )
        return _view(group)

    @wsgi.route("GET", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-server-groups:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_groups.show)
    def show(self, req: wsgi.Request, obj: objects.ServerGroup, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a server group."""
        return _view(obj)

    @wsgi.route("DELETE", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-server-groups:delete")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404)
    def delete(self, req: wsgi.Request, obj: objects.ServerGroup, params: wsgi.NoParams) -> None:
        """Delete a server group.

        Its servers go on, and are in no group from then on.
        """
        self.compute.delete_server_group(req.context, obj)


def _view(group: objects.ServerGroup) -> dict[str, Any]:
    return {
        "id": group.uuid,
        "name": group.name,
        "policy": group.policy,
        "policies": [group.policy],
        "metadata": {},
        "members": group.members,
        "project_id": group.project_id,
        "user_id": group.user_id,
        "rules": group.rules,
        **group.rules,
    }
