"""The addresses of a server, by the names of its networks."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.server_facts import addresses_of

_PATH = "/servers/{server_id}/ips"


class LabelParams(TypedDict):
    network_label: str


class IPsController(wsgi.Controller):
    resource = "ips"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _PATH, policy="os_compute_api:ips:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.ips.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List the addresses of a server."""
        return {"addresses": self._addresses(req, obj)}

    @wsgi.route("GET", _PATH + "/{network_label}", policy="os_compute_api:ips:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.ips.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: LabelParams) -> dict[str, Any]:
        """Show the addresses of a server on one network, which is given by its name."""
        label = params["network_label"]
        addresses = self._addresses(req, obj)
        if label not in addresses:
            raise exceptions.NotFound("Instance is not a member of specified network")
        return {"addresses": {label: addresses[label]}, "network": label, "of_network": addresses[label]}

    def _addresses(self, req: wsgi.Request, obj: objects.Instance) -> dict[str, list[dict[str, Any]]]:
        found = addresses_of(self.compute.ports([obj.uuid]).get(obj.uuid, []))
        if req.version >= (3, 0):
            return found
        return {
            network: [{name: item[name] for name in ("version", "addr")} for item in items]
            for network, items in found.items()
        }
