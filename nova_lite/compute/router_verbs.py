"""Routers, for the Network service. This host routes for all its networks, with a router or without: routers say whose
subnets have a way to which external network, as clients ask for it."""

from __future__ import annotations

import uuid as uuidlib
from dataclasses import replace
from typing import Any

from nova_lite import objects
from nova_lite.compute.network_base import NetworkBase, owner_of, scope_of, sees
from nova_lite.compute.network_errors import (
    InvalidInput,
    NetworkNotFound,
    RouterInterfaceNotFoundForSubnet,
    RouterInUse,
    RouterNotFound,
    SubnetNotFound,
)
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db import routers as db_routers
from nova_lite.db.engine import Connection
from nova_lite.db.times import now


class RouterVerbs(NetworkBase):
    """/v2.0/routers."""

    def list_routers(self, context: RequestContext) -> list[objects.Router]:
        with self.database.read() as connection:
            return db_routers.list_(connection, scope_of(context))

    def get_router(self, context: RequestContext, router_id: str) -> objects.Router:
        """RouterNotFound also for a stranger's."""
        with self.database.read() as connection:
            return _router(connection, context, router_id)

    def create_router(
        self,
        context: RequestContext,
        *,
        name: str = "",
        description: str = "",
        external_network_id: str | None = None,
        project_id: str | None = None,
    ) -> objects.Router:
        owner = owner_of(context, project_id, "create_router:tenant_id")
        router = objects.Router(str(uuidlib.uuid4()), owner, name, description, now(), external_network_id)
        with self.database.write() as connection:
            self.database.lock(connection, f"routers:{owner}")
            self._within("router", len(db_routers.list_(connection, owner)))
            _check_external(connection, context, external_network_id)
            db_routers.insert(connection, router)
        return router

    def update_router(self, context: RequestContext, router: objects.Router, values: dict[str, Any]) -> objects.Router:
        """:param values: ``name``, ``description``, ``external_network_id`` (None: no way out)."""
        with self.database.write() as connection:
            current = _router(connection, context, router.id)
            _check_external(connection, context, values.get("external_network_id"))
            if values:
                db_routers.update(connection, router.id, values)
        return replace(current, **values)

    def delete_router(self, context: RequestContext, router: objects.Router) -> None:
        """RouterInUse while it has interfaces."""
        with self.database.write() as connection:
            if _router(connection, context, router.id).interfaces:
                raise RouterInUse(router.id)
            db_routers.delete(connection, router.id)

    def add_router_interface(
        self, context: RequestContext, router: objects.Router, subnet_id: str
    ) -> tuple[str, objects.Network]:
        """The port made for it and the subnet's network. InvalidInput when a router has that subnet."""
        with self.database.write() as connection:
            self.database.lock(connection, f"routers:{router.project_id}")
            network = db_networks.of_subnet(connection, subnet_id)
            if network is None or network.external or not (network.shared or sees(context, network)):
                raise SubnetNotFound(subnet_id)
            if (other := db_routers.of_subnet(connection, subnet_id)) is not None:
                where = f"Router already has a port on subnet {subnet_id}"
                if other.id != router.id:
                    where = f"subnet {subnet_id}: its gateway address {network.gateway_ip} belongs to another router"
                raise InvalidInput(where)
            port_id = db_networks.insert_port(
                connection,
                network,
                network.gateway_ip,
                router.project_id,
                (),
                device_owner=objects.ROUTER_INTERFACE,
                owner_id=router.id,
            )
        return port_id, network

    def remove_router_interface(
        self, context: RequestContext, router: objects.Router, subnet_id: str | None, port_id: str | None
    ) -> tuple[str, objects.Network]:
        """Given by its subnet or its port; the port that is gone, and the subnet's network."""
        with self.database.write() as connection:
            current = _router(connection, context, router.id)
            found = {own: subnet for own, subnet in current.interfaces.items() if subnet_id in (None, subnet)}
            gone = next((own for own in found if port_id in (None, own)), None)
            if gone is None:
                raise RouterInterfaceNotFoundForSubnet(router.id, str(subnet_id or port_id))
            network = db_networks.of_subnet(connection, found[gone])
            assert network is not None  # it had a port
            db_networks.delete_port(connection, gone)
        return gone, network


def _check_external(connection: Connection, context: RequestContext, network_id: str | None) -> None:
    if network_id is None:
        return
    network = db_networks.get(connection, network_id)
    if network is None or not (network.external or network.shared or sees(context, network)):
        raise NetworkNotFound(network_id)
    if not network.external:
        raise InvalidInput(f"Network {network_id} is not an external network")


def _router(connection: Connection, context: RequestContext, router_id: str) -> objects.Router:
    found = db_routers.get(connection, router_id)
    if found is None or not sees(context, found):
        raise RouterNotFound(router_id)
    return found
