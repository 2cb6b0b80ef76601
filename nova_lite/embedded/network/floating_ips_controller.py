"""Floating IPs."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects
from nova_lite.api import validation, wsgi
from nova_lite.compute.network_errors import InvalidInput
from nova_lite.embedded.network import formats, views
from nova_lite.embedded.network.listing import Query, answer, chosen
from nova_lite.embedded.network.networks_controller import FORMATS, NetworkServiceController, owner


class FloatingIPValues(TypedDict, total=False):
    port_id: str | None
    fixed_ip: str | None
    description: str


class NewFloatingIP(FloatingIPValues, total=False):
    network_id: str
    address: str | None
    subnet_id: str | None
    tenant_id: str | None
    project_id: str | None


class FloatingIPsController(NetworkServiceController):
    @wsgi.route("GET", "/floatingips", policy="get_floatingip")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_floating_ips)
    def list_floating_ips(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List floating IPs."""
        found = [views.floating_ip(one) for one in self.network.list_floating_ips(req.context)]
        return answer(req, "floatingips", found, params, list(formats.FLOATING_IP))

    @wsgi.route("POST", "/floatingips", policy="create_floatingip")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 404, 409, 503)
    @validation.schema(FORMATS.create_floating_ip)
    def create_floating_ip(self, req: wsgi.Request, obj: None, params: NewFloatingIP) -> dict[str, Any]:
        """Take an address of an external network, and lead it to a port if one is named."""
        if params.get("address"):
            req.authorize("create_floatingip:floating_ip_address")
        subnet_id = params.pop("subnet_id", None)
        of = self.network.get_subnet(req.context, subnet_id).network.id if subnet_id else params["network_id"]
        if of != params["network_id"]:
            raise InvalidInput(f"subnet {subnet_id} is none of network {params['network_id']}")
        project_id = owner(params)
        made = self.network.create_floating_ip(req.context, project_id=project_id, **params)  # type: ignore[misc]
        return views.floating_ip(made)


class FloatingIPController(NetworkServiceController):
    resource_obj_cls = objects.FloatingIP

    @wsgi.route("GET", "/floatingips/{floating_ip_id}", policy="get_floatingip")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_floating_ip)
    def show_floating_ip(self, req: wsgi.Request, obj: objects.FloatingIP, params: Query) -> dict[str, Any]:
        """Show a floating IP."""
        return chosen(views.floating_ip(obj), params)

    @wsgi.route("PUT", "/floatingips/{floating_ip_id}", policy="update_floatingip")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409, 503)
    @validation.schema(FORMATS.update_floating_ip)
    def update_floating_ip(
        self, req: wsgi.Request, obj: objects.FloatingIP, params: FloatingIPValues
    ) -> dict[str, Any]:
        """Lead a floating IP to a port of the project, or nowhere; in force at once."""
        return views.floating_ip(self.network.update_floating_ip(req.context, obj, dict(params)))

    @wsgi.route("DELETE", "/floatingips/{floating_ip_id}", policy="delete_floatingip")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 503)
    def delete_floating_ip(self, req: wsgi.Request, obj: objects.FloatingIP, params: wsgi.NoParams) -> None:
        """Give a floating IP back."""
        self.network.delete_floating_ip(req.context, obj)
