"""The WSGI application of the embedded Network service, mounted at /network."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import falcon
import orjson
from oslo_config import cfg

from nova_lite import objects
from nova_lite.api import auth, errors, policy
from nova_lite.api.app import falcon_app
from nova_lite.api.operations import Table, collect
from nova_lite.api.pipeline import Loader
from nova_lite.api.service import Service
from nova_lite.api.versions import Version
from nova_lite.compute.network_service import NetworkService
from nova_lite.embedded.network.facts_controller import FactsController
from nova_lite.embedded.network.floating_ips_controller import FloatingIPController, FloatingIPsController
from nova_lite.embedded.network.networks_controller import NetworkController, NetworksController, SubnetController
from nova_lite.embedded.network.ports_controller import PortController, PortsController
from nova_lite.embedded.network.routers_controller import RouterController, RoutersController
from nova_lite.embedded.network.security_groups_controller import (
    SecurityGroupController,
    SecurityGroupRuleController,
    SecurityGroupsController,
)

_CONTROLLERS = (
    *(NetworksController, NetworkController, SubnetController, PortsController, PortController),
    *(SecurityGroupsController, SecurityGroupController, SecurityGroupRuleController),
    *(RoutersController, RouterController, FloatingIPsController, FloatingIPController, FactsController),
)
_RESOURCES = (
    *("networks", "subnets", "ports", "security-groups", "security-group-rules"),
    *("routers", "floatingips", "extensions", "quotas", "agents", "availability_zones"),
)


def _error_body(code: int, message: str, kind: str) -> Mapping[str, object]:
    """Neutron's form. ``kind``: the exception's name, "" for what the infrastructure itself decided."""
    name = kind or f"HTTP{errors.TITLES.get(code, 'Error').replace(' ', '')}"
    return {"NeutronError": {"type": name, "message": message, "detail": ""}}


SERVICE = Service(
    public=re.compile(r"/?|/v2\.0/?|/(?!v2\.0/).*"),
    prefixes={2: "/v2.0"},
    version=Version(2, 1),
    named_error_body=_error_body,
)


def build_table(network: NetworkService | None, known_rules: frozenset[str]) -> Table:
    return collect([kind(network) for kind in _CONTROLLERS], known_rules)  # type: ignore[arg-type]


def build(conf: cfg.ConfigOpts, engine: policy.PolicyEngine, strategy: auth.Strategy, compute: Any) -> falcon.App:
    network: NetworkService = compute.network
    loaders: dict[type, Loader] = {
        objects.Network: lambda req, value: network.get_network(req.context, value),
        objects.Subnet: lambda req, value: network.get_subnet(req.context, value),
        objects.Port: lambda req, value: network.get_port(req.context, value),
        objects.SecurityGroup: lambda req, value: network.get_group(req.context, value),
        objects.SecurityGroupRule: lambda req, value: network.get_group_rule(req.context, value),
        objects.Router: lambda req, value: network.get_router(req.context, value),
        objects.FloatingIP: lambda req, value: network.get_floating_ip(req.context, value),
    }
    app = falcon_app(
        build_table(network, engine.registered),
        engine,
        strategy,
        loaders,
        conf.api,
        read_in_turn=compute.database.is_sqlite,
        service=SERVICE,
    )
    documents = _Discovery()
    app.add_route("/", documents)
    for path in ("/v2.0", "/v2.0/"):
        app.add_route(path, documents, suffix="v2")
    return app


class _Discovery:
    """What clients read to find the version; needs no token."""

    def on_get(self, http: falcon.Request, resp: falcon.Response) -> None:
        links = [{"rel": "self", "href": f"{http.prefix}/v2.0/"}]
        _json(resp, {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})

    def on_get_v2(self, http: falcon.Request, resp: falcon.Response) -> None:
        resources = [
            {
                "name": name.rstrip("s"),
                "collection": name,
                "links": [{"rel": "self", "href": f"{http.prefix}/v2.0/{name}"}],
            }
            for name in _RESOURCES
        ]
        _json(resp, {"resources": resources})


def _json(resp: falcon.Response, document: Mapping[str, Any]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = orjson.dumps(document)
