"""Routers and their interfaces."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects
from nova_lite.api import validation, wsgi
from nova_lite.compute.network_errors import InvalidInput
from nova_lite.embedded.network import formats, views
from nova_lite.embedded.network.listing import Query, answer, chosen
from nova_lite.embedded.network.networks_controller import FORMATS, NetworkServiceController, owner


class RouterValues(TypedDict, total=False):
    name: str
    description: str
    external_gateway_info: dict[str, Any] | None


class NewRouter(RouterValues, total=False):
    tenant_id: str | None
    project_id: str | None


class InterfaceParams(TypedDict, total=False):
    subnet_id: str
    port_id: str


class RoutersController(NetworkServiceController):
    @wsgi.route("GET", "/routers", policy="get_router")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_routers)
    def list_routers(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List routers."""
        found = [views.router(one) for one in self.network.list_routers(req.context)]
        return answer(req, "routers", found, params, list(formats.ROUTER))

    @wsgi.route("POST", "/routers", policy="create_router")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(FORMATS.create_router)
    def create_router(self, req: wsgi.Request, obj: None, params: NewRouter) -> dict[str, Any]:
        """Create a router. This host routes for all of its networks, whether they have a router or not."""
        project_id = owner(params)
        return views.router(self.network.create_router(req.context, project_id=project_id, **_values(params)))


class RouterController(NetworkServiceController):
    resource_obj_cls = objects.Router

    @wsgi.route("GET", "/routers/{router_id}", policy="get_router")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_router)
    def show_router(self, req: wsgi.Request, obj: objects.Router, params: Query) -> dict[str, Any]:
        """Show a router."""
        return chosen(views.router(obj), params)

    @wsgi.route("PUT", "/routers/{router_id}", policy="update_router")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(FORMATS.update_router)
    def update_router(self, req: wsgi.Request, obj: objects.Router, params: RouterValues) -> dict[str, Any]:
        """Change name, description and external gateway of a router."""
        return views.router(self.network.update_router(req.context, obj, _values(params)))

    @wsgi.route("DELETE", "/routers/{router_id}", policy="delete_router")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 409)
    def delete_router(self, req: wsgi.Request, obj: objects.Router, params: wsgi.NoParams) -> None:
        """Delete a router. 409 while it has interfaces."""
        self.network.delete_router(req.context, obj)

    @wsgi.route("PUT", "/routers/{router_id}/add_router_interface", policy="add_router_interface")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(FORMATS.add_interface)
    def add_interface(self, req: wsgi.Request, obj: objects.Router, params: InterfaceParams) -> dict[str, Any]:
        """Connect a subnet with a router, which has its gateway address then."""
        if "subnet_id" not in params:
            raise InvalidInput("subnet_id: a router is given subnets on this host, not ports")
        made, network = self.network.add_router_interface(req.context, obj, params["subnet_id"])
        return views.router_interface(obj, made, network)

    @wsgi.route("PUT", "/routers/{router_id}/remove_router_interface", policy="remove_router_interface")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(FORMATS.remove_interface)
    def remove_interface(self, req: wsgi.Request, obj: objects.Router, params: InterfaceParams) -> dict[str, Any]:
        """Take a subnet from a router, given by its id or that of the router's port."""
        if not params:
            raise InvalidInput("Either subnet_id or port_id must be specified")
        gone, network = self.network.remove_router_interface(
            req.context, obj, params.get("subnet_id"), params.get("port_id")
        )
        return views.router_interface(obj, gone, network)


def _values(params: RouterValues) -> dict[str, Any]:
    values: dict[str, Any] = dict(params)
    if "external_gateway_info" in values:
        values["external_network_id"] = (values.pop("external_gateway_info") or {}).get("network_id")
    return values
