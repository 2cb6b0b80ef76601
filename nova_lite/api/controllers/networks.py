"""os-networks and os-tenant-networks: the proxies of microversions up to 2.35, for looking."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.schemas.v2_1.networks import ADMIN_FIELDS, FIELDS


class NetworkParams(TypedDict):
    network_id: str


def _get(controller: wsgi.Controller, req: wsgi.Request, params: NetworkParams) -> objects.Network:
    """What is shared is shown as the caller's own, so rules are about the caller's project."""
    try:
        return controller.compute.network.get_network(req.context, params["network_id"])  # type: ignore[no-any-return]
    except exceptions.NotFound as error:
        raise exceptions.NotFound("Network not found") from error


class NetworksController(wsgi.Controller):
    resource = "networks"

    @wsgi.route("GET", "/os-networks", policy="os_compute_api:os-networks:list")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.networks.index)
    def index(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List networks by id and label; everything else there was before Neutron, and is null."""
        found = self.compute.network.list_networks(req.context)
        return {"networks": [_view(req, one) for one in found]}

    @wsgi.route("GET", "/os-networks/{network_id}", policy="os_compute_api:os-networks:show")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.networks.show)
    def show(self, req: wsgi.Request, obj: None, params: NetworkParams) -> dict[str, Any]:
        """Show a network."""
        return _view(req, _get(self, req, params))


class TenantNetworksController(wsgi.Controller):
    resource = "tenant_networks"

    @wsgi.route("GET", "/os-tenant-networks", policy="os_compute_api:os-tenant-networks:list")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.tenant_networks.index)
    def index(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List networks by id and label. Their ranges were never said here."""
        found = self.compute.network.list_networks(req.context)
        return {"networks": [_brief(one) for one in found]}

    @wsgi.route("GET", "/os-tenant-networks/{network_id}", policy="os_compute_api:os-tenant-networks:show")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.tenant_networks.show)
    def show(self, req: wsgi.Request, obj: None, params: NetworkParams) -> dict[str, Any]:
        """Show a network."""
        return _brief(_get(self, req, params))


def _view(req: wsgi.Request, network: objects.Network) -> dict[str, Any]:
    names = (*FIELDS, *(ADMIN_FIELDS if req.context.is_admin else ()))
    return dict.fromkeys(names) | {"id": network.id, "label": network.name}


def _brief(network: objects.Network) -> dict[str, Any]:
    return {"id": network.id, "cidr": "None", "label": network.name}
