"""What clients ask about the service itself: extensions, quotas, agents, availability zones."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions
from nova_lite.api import validation, wsgi
from nova_lite.embedded.network.listing import Query
from nova_lite.embedded.network.networks_controller import FORMATS, NetworkServiceController

_UPDATED = "2026-11-21T00:00:00Z"
_EXTENSIONS = {
    "agent": "agents: an empty list",
    "availability_zone": "Availability Zone",
    "binding": "Port Binding",
    "external-net": "Neutron external network",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "project-id": "project_id field enabled",
    "quota_details": "Quota details management support",
    "quotas": "Quota management support",
    "router": "Neutron L3 Router",
    "security-group": "security-group",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-timestamp": "Resource timestamps",
}


class AliasParams(TypedDict):
    alias: str


class ProjectParams(TypedDict):
    project_id: str


def _extension(alias: str) -> dict[str, Any]:
    name = _EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": name, "updated": _UPDATED, "links": []}


def _project(req: wsgi.Request) -> dict[str, Any]:
    """Whose quota is asked for."""
    return {"project_id": req.fields.get("project_id", ""), "tenant_id": req.fields.get("project_id", "")}


class FactsController(NetworkServiceController):
    @wsgi.route("GET", "/extensions", policy="get_extension")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_extensions)
    def list_extensions(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List what this service has beyond networks, subnets and ports."""
        return {"extensions": [_extension(alias) for alias in _EXTENSIONS]}

    @wsgi.route("GET", "/extensions/{alias}", policy="get_extension")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_extension)
    def show_extension(self, req: wsgi.Request, obj: None, params: AliasParams) -> dict[str, Any]:
        """Show one extension."""
        if params["alias"] not in _EXTENSIONS:
            raise exceptions.NotFound(f"Extension with alias {params['alias'][:64]} does not exist")
        return {"extension": _extension(params["alias"])}

    @wsgi.route("GET", "/agents", policy="get_agent")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_agents)
    def list_agents(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List Neutron's agents: there are none, the compute agent does their work."""
        return {"agents": []}

    @wsgi.route("GET", "/availability_zones", policy="get_availability_zone")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_zones)
    def list_zones(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List the availability zones of networks and routers."""
        zones = [{"name": "nova", "resource": kind, "state": "available"} for kind in ("network", "router")]
        return {"availability_zones": zones}

    @wsgi.route("GET", "/quotas/{project_id}", policy="get_quota")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.target(_project)
    @validation.schema(FORMATS.show_quota)
    def show_quota(self, req: wsgi.Request, obj: None, params: ProjectParams) -> dict[str, Any]:
        """Show how many of each kind a project may have."""
        return {"quota": self.network.limits()}

    @wsgi.route("GET", "/quotas/{project_id}/default", policy="get_quota")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.target(_project)
    @validation.schema(FORMATS.show_default_quota)
    def show_default_quota(self, req: wsgi.Request, obj: None, params: ProjectParams) -> dict[str, Any]:
        """Show how many of each kind any project may have."""
        return {"quota": self.network.limits()}

    @wsgi.route("GET", "/quotas/{project_id}/details", policy="get_quota")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.target(_project)
    @validation.schema(FORMATS.show_used_quota)
    def show_used_quota(self, req: wsgi.Request, obj: None, params: ProjectParams) -> dict[str, Any]:
        """Show how many of each kind a project may have and has."""
        used = self.network.used(params["project_id"])
        limits = self.network.limits()
        return {"quota": {name: {"limit": limits[name], "used": used[name], "reserved": 0} for name in limits}}

    @wsgi.route("GET", "/quotas/{project_id}/details.json", policy="get_quota")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.target(_project)
    @validation.schema(FORMATS.show_used_quota)
    def show_used_quota_json(self, req: wsgi.Request, obj: None, params: ProjectParams) -> dict[str, Any]:
        """The same, under the name by which python-neutronclient and Neutron's reference call it."""
        return self.show_used_quota(req, obj, params)
