"""Remote consoles: URLs by which a client uses a server's serial console."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.times import rfc3339

_POLICY = "os_compute_api:os-remote-consoles"


class TypeParams(TypedDict):
    type: str


class ConsoleParams(TypedDict):
    protocol: str
    type: str


class RemoteConsolesController(wsgi.Controller):
    resource = "remote_consoles"
    resource_obj_cls = objects.Instance

    @wsgi.route("POST", "/servers/{server_id}/remote-consoles", policy=_POLICY)
    @wsgi.version(base="2.6")
    @wsgi.response(200, version="2.6")
    @wsgi.response(201, version="3.0")
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.remote_consoles.create)
    def create(self, req: wsgi.Request, obj: objects.Instance, params: ConsoleParams) -> dict[str, Any]:
        """Get a URL for a server's serial console.

        The URL is of a WebSocket (subprotocol ``binary``) that carries the bytes of the server's serial port in both
        directions; in 3.x the type ``serial-html5`` gives that of a page with a terminal, for browsers. It is good for
        one server and, as often as one likes, until its token expires. Servers have no graphical console: 400 for all
        other types. 409 until the server has been given a host.
        """
        made = self.compute.create_console(req.context, obj, params["protocol"], params["type"])
        return {**params, "url": made.url, "expires_at": rfc3339(made.expires_at)}

    @wsgi.action("os-getSerialConsole", policy=_POLICY)
    @wsgi.version(base="2.1", max="2.5")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.remote_consoles.get_serial_console)
    def get_serial_console(self, req: wsgi.Request, obj: objects.Instance, params: TypeParams) -> dict[str, Any]:
        """Get a URL for a server's serial console."""
        return self._of_type(req, obj, "serial", params)

    @wsgi.action("os-getVNCConsole", policy=_POLICY)
    @wsgi.version(base="2.1", max="2.5")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.remote_consoles.get_vnc_console)
    def get_vnc_console(self, req: wsgi.Request, obj: objects.Instance, params: TypeParams) -> dict[str, Any]:
        """Get a URL for a server's VNC console: 400, as servers have no graphical console."""
        return self._of_type(req, obj, "vnc", params)

    @wsgi.action("os-getSPICEConsole", policy=_POLICY)
    @wsgi.version(base="2.1", max="2.5")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.remote_consoles.get_spice_console)
    def get_spice_console(self, req: wsgi.Request, obj: objects.Instance, params: TypeParams) -> dict[str, Any]:
        """Get a URL for a server's SPICE console: 400, as servers have no graphical console."""
        return self._of_type(req, obj, "spice", params)

    @wsgi.action("os-getRDPConsole", policy=_POLICY)
    @wsgi.version(base="2.1", max="2.5")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.remote_consoles.get_rdp_console)
    def get_rdp_console(self, req: wsgi.Request, obj: objects.Instance, params: TypeParams) -> dict[str, Any]:
        """Get a URL for a server's RDP console: 400, as servers have no graphical console."""
        return self._of_type(req, obj, "rdp", params)

    def _of_type(self, req: wsgi.Request, obj: objects.Instance, protocol: str, params: TypeParams) -> dict[str, Any]:
        made = self.compute.create_console(req.context, obj, protocol, params["type"])
        return {"type": params["type"], "url": made.url}
