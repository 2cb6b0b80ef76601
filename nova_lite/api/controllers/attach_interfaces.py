"""os-interface: the network cards of a server."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute import states

_PATH, _PATH_3 = "/servers/{server_id}/os-interface", "/servers/{server_id}/interfaces"
_RULE = "os_compute_api:os-attach-interfaces"


class PortParams(TypedDict):
    port_id: str


class AddressParams(TypedDict):
    ip_address: str


class CreateParams(TypedDict, total=False):
    network_id: str
    port_id: str
    fixed_ips: list[AddressParams]
    tag: str


class AttachInterfacesController(wsgi.Controller):
    resource = "attach_interfaces"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", _PATH, v3=_PATH_3, policy=f"{_RULE}:list")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.attach_interfaces.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """List the network cards of a server.

        ``port_state`` is ACTIVE while a VM has the card, else DOWN.
        """
        ports = self.compute.ports([obj.uuid]).get(obj.uuid, [])
        return {"interfaces": [_card(obj, port) for port in ports]}

    @wsgi.route("GET", _PATH + "/{port_id}", v3=_PATH_3 + "/{port_id}", policy=f"{_RULE}:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.attach_interfaces.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: PortParams) -> dict[str, Any]:
        """Show a network card of a server, by the id of its port."""
        return _card(obj, self.compute.port_of(obj, params["port_id"]))

    @wsgi.route("POST", _PATH, v3=_PATH_3, policy=f"{_RULE}:create")
    @wsgi.verb(states.ATTACH_INTERFACE)
    @wsgi.version(base="2.1")
    @wsgi.response(200, version="2.1")
    @wsgi.response(202, version="3.0")
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.attach_interfaces.create)
    def create(self, req: wsgi.Request, obj: objects.Instance, params: CreateParams) -> dict[str, Any]:
        """Give a server another network card.

        On a network, with an address of one's choice or the next free one, or with a port that is there and that no
        server has. Without either, the default network. A running guest gets the card at once, by PCI hot-plug; where
        that cannot be, at its next start, and until then its ``port_state`` is DOWN. 409 unless the server is active,
        paused or stopped, and while it does something else.
        """
        addresses = [item["ip_address"] for item in params.get("fixed_ips", [])]
        port = self.compute.attach_interface(
            req.context,
            obj,
            network_id=params.get("network_id"),
            port_id=params.get("port_id"),
            fixed_ip=addresses[0] if addresses else None,
            tag=params.get("tag"),
        )
        return _card(obj, port)

    @wsgi.route("DELETE", _PATH + "/{port_id}", v3=_PATH_3 + "/{port_id}", policy=f"{_RULE}:delete")
    @wsgi.verb(states.DETACH_INTERFACE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    def delete(self, req: wsgi.Request, obj: objects.Instance, params: PortParams) -> None:
        """Take a network card from a server.

        A running guest is asked to let go of it; one that does not sees a card that hears nothing until its next start
        or hard reboot.
        A port that was made for the server is deleted, one that was there before is kept.
        """
        self.compute.detach_interface(req.context, obj, params["port_id"])


def _card(server: objects.Instance, port: objects.Port) -> dict[str, Any]:
    is_up = port.plugged and server.vm_state in ("active", "paused")
    return {
        "port_state": "ACTIVE" if is_up else "DOWN",
        "fixed_ips": [{"ip_address": address, "subnet_id": port.subnet_id} for address in port.fixed_ips],
        "port_id": port.id,
        "network_id": port.network_id,
        "mac_address": port.mac_address,
        "tag": port.tag,
    }
