"""The NUMA topology of a server, from 2.78 on."""

from __future__ import annotations

from typing import Any

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi


class ServerTopologyController(wsgi.Controller):
    resource = "server_topology"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", "/servers/{server_id}/topology", policy="compute:server:topology:index")
    @wsgi.version(base="2.78")
    @wsgi.response(200, version="2.78")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.server_topology.index)
    def index(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """Show the NUMA topology of a server.

        Servers have none here: their memory is one piece and no virtual CPU is tied to a CPU of the host, so that
        ``nodes`` is empty, as Nova answers for such a server.
        """
        return {"nodes": [], "pagesize_kb": None}
