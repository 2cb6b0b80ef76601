"""Ports."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects
from nova_lite.api import validation, wsgi
from nova_lite.compute.network_errors import InvalidInput
from nova_lite.embedded.network import formats, views
from nova_lite.embedded.network.listing import Query, answer, chosen
from nova_lite.embedded.network.networks_controller import FORMATS, NetworkServiceController, owner


class FixedIP(TypedDict, total=False):
    subnet_id: str
    ip_address: str


class PortValues(TypedDict, total=False):
    name: str
    description: str
    fixed_ips: list[FixedIP] | None
    security_groups: list[str] | None
    device_id: str
    device_owner: str


class NewPort(PortValues, total=False):
    network_id: str
    mac_address: str
    tenant_id: str | None
    project_id: str | None


class PortsController(NetworkServiceController):
    @wsgi.route("GET", "/ports", policy="get_port")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_ports)
    def list_ports(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List ports: of servers, of routers, and those that nobody has."""
        found = [view(self, req, one) for one in self.network.list_ports(req.context)]
        return answer(req, "ports", found, params, list(formats.PORT))

    @wsgi.route("POST", "/ports", policy="create_port")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(FORMATS.create_port)
    def create_port(self, req: wsgi.Request, obj: None, params: NewPort) -> dict[str, Any]:
        """Create a port, with an address of one's choice or the next free one."""
        project_id = owner(params)
        _refuse_device(params)
        made = self.network.create_port(req.context, project_id=project_id, **params)  # type: ignore[misc, arg-type]
        return view(self, req, made)


class PortController(NetworkServiceController):
    resource_obj_cls = objects.Port

    @wsgi.route("GET", "/ports/{port_id}", policy="get_port")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_port)
    def show_port(self, req: wsgi.Request, obj: objects.Port, params: Query) -> dict[str, Any]:
        """Show a port."""
        return chosen(view(self, req, obj), params)

    @wsgi.route("PUT", "/ports/{port_id}", policy="update_port")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409, 503)
    @validation.schema(FORMATS.update_port)
    def update_port(self, req: wsgi.Request, obj: objects.Port, params: PortValues) -> dict[str, Any]:
        """Change name, addresses and security groups of a port; in force at once, also for a server that runs."""
        _refuse_device(params, obj)
        return view(self, req, self.network.update_port(req.context, obj, dict(params)))

    @wsgi.route("DELETE", "/ports/{port_id}", policy="delete_port")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 409, 503)
    def delete_port(self, req: wsgi.Request, obj: objects.Port, params: wsgi.NoParams) -> None:
        """Delete a port. 409 while a server or a router has it."""
        self.network.delete_port(req.context, obj)


def view(controller: NetworkServiceController, req: wsgi.Request, found: objects.Port) -> dict[str, Any]:
    return views.port(found, controller.network.conf.host, bool(req.context.is_admin))


def _refuse_device(params: PortValues, found: objects.Port | None = None) -> None:
    """Who has a port is changed by the Compute API alone; what is as it is may be said."""
    now = views.port(found, "", False) if found is not None else {"device_id": "", "device_owner": ""}
    for key in ("device_id", "device_owner"):
        if params.pop(key, now[key]) != now[key]:  # type: ignore[misc]
            raise InvalidInput(f"{key}: attach the port to a server, or detach it, by the Compute API")
