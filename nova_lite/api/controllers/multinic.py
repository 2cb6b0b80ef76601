"""addFixedIp and removeFixedIp: more addresses for cards of a server, up to 2.43."""

from __future__ import annotations

from typing import TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi


class NetworkParams(TypedDict):
    network_id: str


class AddressParams(TypedDict):
    address: str


class MultinicController(wsgi.Controller):
    resource = "multinic"
    resource_obj_cls = objects.Instance

    @wsgi.action("addFixedIp", policy="os_compute_api:os-multinic:add")
    @wsgi.version(base="2.1", max="2.43")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 409, 503)
    @validation.schema(schemas.multinic.add)
    def add(self, req: wsgi.Request, obj: objects.Instance, params: NetworkParams) -> None:
        """Give the card that a server has on a network one more address. DHCP gives out the first one only."""
        self.compute.network.add_fixed_ip(req.context, obj, params["network_id"])

    @wsgi.action("removeFixedIp", policy="os_compute_api:os-multinic:remove")
    @wsgi.version(base="2.1", max="2.43")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 409, 503)
    @validation.schema(schemas.multinic.remove)
    def remove(self, req: wsgi.Request, obj: objects.Instance, params: AddressParams) -> None:
        """Take an address from a card of a server, which keeps one at least."""
        self.compute.network.remove_fixed_ip(req.context, obj, params["address"])
