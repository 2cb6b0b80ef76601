"""Networks and subnets."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute.network_errors import InvalidInput
from nova_lite.compute.network_service import NetworkService
from nova_lite.embedded.network import formats, views
from nova_lite.embedded.network.listing import Query, answer, chosen

FORMATS = schemas.of_module(formats, 2)


class NetworkValues(TypedDict, total=False):
    name: str
    description: str
    shared: bool
    external: bool


class NewNetwork(NetworkValues, total=False):
    tenant_id: str | None
    project_id: str | None


class Pool(TypedDict):
    start: str
    end: str


class SubnetValues(TypedDict, total=False):
    name: str
    description: str
    gateway_ip: str | None
    allocation_pools: list[Pool] | None
    dns_nameservers: list[str] | None
    enable_dhcp: bool


class NewSubnet(SubnetValues, total=False):
    network_id: str
    cidr: str
    ip_version: int
    tenant_id: str | None
    project_id: str | None


class NetworkServiceController(wsgi.Controller):
    """Base of the controllers here. ``network``: the verbs."""

    resource = "formats"

    def __init__(self, network: NetworkService) -> None:
        self.network = network


def owner(params: Any) -> str | None:
    """The project that is named, by the newer name or the older one; both are taken out."""
    older, newer = params.pop("tenant_id", None), params.pop("project_id", None)
    if older and newer and older != newer:
        raise InvalidInput("'project_id' and 'tenant_id' do not match")
    return newer or older


class NetworksController(NetworkServiceController):
    @wsgi.route("GET", "/networks", policy="get_network")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_networks)
    def list_networks(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List the networks of the project, those that are shared, and the external ones."""
        is_admin = bool(req.context.is_admin)
        found = [views.network(one, is_admin) for one in self.network.list_networks(req.context)]
        return answer(req, "networks", found, params, list(formats.NETWORK))

    @wsgi.route("POST", "/networks", policy="create_network")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 409)
    @validation.schema(FORMATS.create_network)
    def create_network(self, req: wsgi.Request, obj: None, params: NewNetwork) -> dict[str, Any]:
        """Create a network. It has no range before a subnet is made."""
        _check_rights(req, "create", params)
        project_id = owner(params)
        made = self.network.create_network(req.context, project_id=project_id, **params)  # type: ignore[misc]
        return views.network(made, bool(req.context.is_admin))

    @wsgi.route("GET", "/subnets", policy="get_subnet")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list_subnets)
    def list_subnets(self, req: wsgi.Request, obj: None, params: Query) -> dict[str, Any]:
        """List the subnets of the networks that the caller sees."""
        found = [views.subnet(one) for one in self.network.list_subnets(req.context)]
        return answer(req, "subnets", found, params, list(formats.SUBNET))

    @wsgi.route("POST", "/subnets", policy="create_subnet")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(FORMATS.create_subnet)
    def create_subnet(self, req: wsgi.Request, obj: None, params: NewSubnet) -> dict[str, Any]:
        """Give a network its IPv4 range. This host is the gateway."""
        owner(params)  # it is its network's
        if params.get("ip_version", 4) != 4:
            raise InvalidInput("ip_version: networks of this host have IPv4 only")
        if params.get("gateway_ip", "") is None:
            raise InvalidInput("gateway_ip: this host is the gateway of each of its networks")
        made = self.network.create_subnet(
            req.context,
            network_id=params["network_id"],
            cidr=params["cidr"],
            name=params.get("name", ""),
            description=params.get("description", ""),
            gateway_ip=params.get("gateway_ip"),
            pools=[(pool["start"], pool["end"]) for pool in params.get("allocation_pools") or []],
            dns_servers=params.get("dns_nameservers") or [],
            enable_dhcp=params.get("enable_dhcp", True),
        )
        return views.subnet(made)


class NetworkController(NetworkServiceController):
    resource_obj_cls = objects.Network

    @wsgi.route("GET", "/networks/{network_id}", policy="get_network")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_network)
    def show_network(self, req: wsgi.Request, obj: objects.Network, params: Query) -> dict[str, Any]:
        """Show a network."""
        return chosen(views.network(obj, bool(req.context.is_admin)), params)

    @wsgi.route("PUT", "/networks/{network_id}", policy="update_network")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(FORMATS.update_network)
    def update_network(self, req: wsgi.Request, obj: objects.Network, params: NetworkValues) -> dict[str, Any]:
        """Change what is given of a network."""
        _check_rights(req, "update", params, obj)
        changed = self.network.update_network(req.context, obj, dict(params))
        return views.network(changed, bool(req.context.is_admin))

    @wsgi.route("DELETE", "/networks/{network_id}", policy="delete_network")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 409)
    def delete_network(self, req: wsgi.Request, obj: objects.Network, params: wsgi.NoParams) -> None:
        """Delete a network with its subnet. 409 while there are ports on it."""
        self.network.delete_network(req.context, obj)


class SubnetController(NetworkServiceController):
    resource_obj_cls = objects.Subnet

    @wsgi.route("GET", "/subnets/{subnet_id}", policy="get_subnet")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_subnet)
    def show_subnet(self, req: wsgi.Request, obj: objects.Subnet, params: Query) -> dict[str, Any]:
        """Show a subnet."""
        return chosen(views.subnet(obj), params)

    @wsgi.route("PUT", "/subnets/{subnet_id}", policy="update_subnet")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409, 503)
    @validation.schema(FORMATS.update_subnet)
    def update_subnet(self, req: wsgi.Request, obj: objects.Subnet, params: SubnetValues) -> dict[str, Any]:
        """Change name, description, pool and name servers of a subnet. The gateway stays."""
        if params.get("gateway_ip", obj.network.gateway_ip) != obj.network.gateway_ip:
            raise InvalidInput("gateway_ip: the gateway of a network is this host's address, which stays")
        names = {"name": "subnet_name", "description": "subnet_description"}
        values: dict[str, Any] = {flat: params[key] for key, flat in names.items() if key in params}  # type: ignore[literal-required]
        values |= {"enable_dhcp": params["enable_dhcp"]} if "enable_dhcp" in params else {}
        if "dns_nameservers" in params:
            values["dns_servers"] = params["dns_nameservers"] or []
        pools = params.get("allocation_pools")
        if pools is not None:
            if len(pools) != 1:
                raise InvalidInput("allocation_pools: a subnet has one pool on this host")
            values |= {"pool_start": pools[0]["start"], "pool_end": pools[0]["end"]}
        return views.subnet(self.network.update_subnet(req.context, obj, values))

    @wsgi.route("DELETE", "/subnets/{subnet_id}", policy="delete_subnet")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(404, 409)
    def delete_subnet(self, req: wsgi.Request, obj: objects.Subnet, params: wsgi.NoParams) -> None:
        """Take its range from a network. 409 while a port has an address of it."""
        self.network.delete_subnet(req.context, obj)


def _check_rights(req: wsgi.Request, verb: str, params: NetworkValues, obj: objects.Network | None = None) -> None:
    """What everybody sees is made, and made private again, by administrators."""
    now = {"shared": obj.shared, "external": obj.external} if obj is not None else {}
    for key, rule in (("shared", "shared"), ("external", "router:external")):
        if params.get(key, False) != now.get(key, False) and (obj is None or key in params):
            req.authorize(f"{verb}_network:{rule}")
