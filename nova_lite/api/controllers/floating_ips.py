"""os-floating-ips and os-floating-ip-pools (up to 2.35), and the actions that lead them to servers (up to 2.43)."""

from __future__ import annotations

import uuid
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute.network_errors import IpAddressGenerationFailure, OverQuota

_RULE = "os_compute_api:os-floating-ips"


class PoolParams(TypedDict, total=False):
    pool: str | None


class AddParams(TypedDict, total=False):
    address: str
    fixed_address: str


class RemoveParams(TypedDict):
    address: str


class FloatingIPsController(wsgi.Controller):
    resource = "floating_ips"

    @wsgi.route("GET", "/os-floating-ips", policy=f"{_RULE}:list")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.floating_ips.index)
    def index(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List the floating IPs of the project."""
        found = self.compute.network.list_floating_ips(req.context, all_projects=False)
        return {"floating_ips": [_view(one) for one in found]}

    @wsgi.route("POST", "/os-floating-ips", policy=f"{_RULE}:create")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.floating_ips.create)
    def create(self, req: wsgi.Request, obj: None, params: PoolParams) -> dict[str, Any]:
        """Take a floating IP from a pool, an external network given by name or id; from the first when none is."""
        network, pool = self.compute.network, params.get("pool")
        found = next((one for one in pools(network, req) if pool in (None, one.name, one.id)), None)
        if found is None:
            raise exceptions.NotFound("Floating IP pool not found.")
        try:
            return _view(network.create_floating_ip(req.context, network_id=found.id))
        except IpAddressGenerationFailure as error:
            where = f"in pool {pool}" if pool else "available"
            raise exceptions.NotFound(f"No more floating IPs {where}.") from error
        except OverQuota as error:
            where = f" in pool {pool}" if pool else ""
            raise exceptions.Forbidden(f"IP allocation over quota{where}.") from error

    @wsgi.route("GET", "/os-floating-ip-pools", policy="os_compute_api:os-floating-ip-pools")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @validation.schema(schemas.floating_ips.list_pools)
    def list_pools(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List the names of external networks."""
        return {"floating_ip_pools": [{"name": one.name or one.id} for one in pools(self.compute.network, req)]}


class FloatingIPController(wsgi.Controller):
    resource = "floating_ips"
    resource_obj_cls = objects.FloatingIP

    def load(self, req: wsgi.Request, value: str) -> objects.FloatingIP:  # type: ignore[override]
        try:
            uuid.UUID(value)
        except ValueError as error:
            raise exceptions.Invalid(f"Invalid ID received {value[:64]}.") from error
        try:
            return self.compute.network.get_floating_ip(req.context, value)  # type: ignore[no-any-return]
        except exceptions.NotFound as error:
            raise exceptions.NotFound(f"Floating IP not found for ID {value}") from error

    @wsgi.route("GET", "/os-floating-ips/{floating_ip_id}", policy=f"{_RULE}:show")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.floating_ips.show)
    def show(self, req: wsgi.Request, obj: objects.FloatingIP, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a floating IP."""
        return _view(obj)

    @wsgi.route("DELETE", "/os-floating-ips/{floating_ip_id}", policy=f"{_RULE}:delete")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409, 503)
    def delete(self, req: wsgi.Request, obj: objects.FloatingIP, params: wsgi.NoParams) -> None:
        """Give a floating IP back; it leads nowhere from then on."""
        self.compute.network.delete_floating_ip(req.context, obj)


class FloatingIPActionController(wsgi.Controller):
    resource = "floating_ips"
    resource_obj_cls = objects.Instance

    @wsgi.action("addFloatingIp", policy=f"{_RULE}:add")
    @wsgi.version(base="2.1", max="2.43")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 503)
    @validation.schema(schemas.floating_ips.add)
    def add(self, req: wsgi.Request, obj: objects.Instance, params: AddParams) -> None:
        """Lead a floating IP of the project to a server: to the fixed address that is named, or its first."""
        self.compute.network.add_floating_ip(req.context, obj, params["address"], params.get("fixed_address"))

    @wsgi.action("removeFloatingIp", policy=f"{_RULE}:remove")
    @wsgi.version(base="2.1", max="2.43")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409, 503)
    @validation.schema(schemas.floating_ips.remove)
    def remove(self, req: wsgi.Request, obj: objects.Instance, params: RemoveParams) -> None:
        """Take a floating IP from a server; the project keeps it."""
        self.compute.network.remove_floating_ip(req.context, obj, params["address"])


def pools(network: Any, req: wsgi.Request) -> list[objects.Network]:
    """The external networks that addresses can be had from."""
    return [one for one in network.list_networks(req.context) if one.external and one.subnet_id]


def _view(found: objects.FloatingIP) -> dict[str, Any]:
    return {
        "id": found.id,
        "ip": found.address,
        "fixed_ip": found.fixed_ip_address,
        "instance_id": found.device_id,
        "pool": found.network_name or found.network_id,
    }
