"""Floating IPs, for the Network service and for microversions that have them in Compute."""

from __future__ import annotations

import uuid as uuidlib
from typing import Any

import sqlalchemy as sa

from nova_lite import exceptions, objects
from nova_lite.compute import networks
from nova_lite.compute.network_base import NetworkBase, owner_of, scope_of, sees
from nova_lite.compute.network_errors import (
    FloatingIPNotFound,
    FloatingIPPortAlreadyAssociated,
    InvalidInput,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    NetworkNotFound,
    PortNotFound,
)
from nova_lite.context import RequestContext
from nova_lite.db import floating_ips as db_floating_ips
from nova_lite.db import networks as db_networks
from nova_lite.db.engine import Connection
from nova_lite.db.times import now


class FloatingIPVerbs(NetworkBase):
    """/v2.0/floatingips. An address leads where it is said to as soon as a verb returns."""

    def list_floating_ips(self, context: RequestContext, all_projects: bool = True) -> list[objects.FloatingIP]:
        """The caller's project's. :param all_projects: an administrator sees everybody's."""
        with self.database.read() as connection:
            scope = scope_of(context) if all_projects else str(context.project_id)
            return db_floating_ips.list_(connection, scope)

    def get_floating_ip(self, context: RequestContext, floating_ip_id: str) -> objects.FloatingIP:
        """FloatingIPNotFound also for a stranger's."""
        with self.database.read() as connection:
            return _floating_ip(connection, context, floating_ip_id)

    def create_floating_ip(
        self,
        context: RequestContext,
        *,
        network_id: str,
        address: str | None = None,
        port_id: str | None = None,
        fixed_ip: str | None = None,
        description: str = "",
        project_id: str | None = None,
    ) -> objects.FloatingIP:
        """:param address: the next free one when None; a port given here is led to at once."""
        owner = owner_of(context, project_id, "create_floatingip:tenant_id")
        made = str(uuidlib.uuid4())
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{network_id}")
            network = db_networks.get(connection, network_id)
            if network is None or not (network.external or sees(context, network)):
                raise NetworkNotFound(network_id)
            if not network.external or not network.subnet_id:
                raise InvalidInput(f"Network {network_id} is not a valid external network")
            self._within("floatingip", len(db_floating_ips.list_(connection, owner)))
            own = self._own_port(connection, network, address, made)
            db_floating_ips.insert(connection, made, owner, own, description=description, created_at=now())
            if port_id is not None:
                self._lead(connection, context, made, port_id, fixed_ip)
            found = _floating_ip(connection, context, made)
        if port_id is not None:
            self._put_in_force("The floating IP is made")
        return found

    def _own_port(self, connection: Connection, network: objects.Network, address: str | None, owner: str) -> str:
        if address is not None:
            try:
                address = networks.free_address(connection, network, address)
            except networks.AddressInUse as error:
                raise IpAddressAlreadyAllocated(address, network.subnet_id) from error
            except exceptions.Invalid as error:
                raise InvalidInput(f"IP address {address[:64]} is not one of network {network.id}") from error
        try:
            return networks.make_port(
                self.database, connection, network, address, "", (), device_owner=objects.FLOATING_IP, owner_id=owner
            )
        except networks.NoMoreFixedIps as error:
            raise IpAddressGenerationFailure(network.id) from error

    def update_floating_ip(
        self, context: RequestContext, found: objects.FloatingIP, values: dict[str, Any]
    ) -> objects.FloatingIP:
        """:param values: ``description``; ``port_id`` (None: it leads nowhere) and, with that, ``fixed_ip``."""
        with self.database.write() as connection:
            current = _floating_ip(connection, context, found.id)
            if "description" in values:
                db_floating_ips.update(connection, current.id, {"description": values["description"]})
            if "port_id" in values:
                db_floating_ips.update(connection, current.id, {"port_id": None, "fixed_ip_address": None})
                if values["port_id"] is not None:
                    self._lead(connection, context, current.id, values["port_id"], values.get("fixed_ip"))
            changed = _floating_ip(connection, context, current.id)
        if "port_id" in values:
            self._put_in_force("The floating IP is changed")
        return changed

    def delete_floating_ip(self, context: RequestContext, found: objects.FloatingIP) -> None:
        with self.database.write() as connection:
            current = _floating_ip(connection, context, found.id)
            own = db_floating_ips.delete(connection, current.id)
            if own is not None:
                db_networks.delete_port(connection, own)
        if current.port_id is not None:
            self._put_in_force("The floating IP is deleted")

    def _lead(
        self, connection: Connection, context: RequestContext, floating_ip_id: str, port_id: str, fixed_ip: str | None
    ) -> None:
        port = db_networks.get_port(connection, port_id)
        current = _floating_ip(connection, context, floating_ip_id)
        if port is None or port.device_owner or not (context.is_admin or port.project_id == current.project_id):
            raise PortNotFound(port_id)
        if not port.fixed_ips:
            raise InvalidInput(f"Cannot add floating IP to port {port.id} that has no fixed IPv4 addresses")
        if fixed_ip is not None and fixed_ip not in port.fixed_ips:
            raise InvalidInput(f"Port {port.id} does not have fixed ip {fixed_ip[:64]}")
        if fixed_ip is None and len(port.fixed_ips) > 1:
            raise InvalidInput(f"Port {port.id} has multiple fixed IPv4 addresses. Must provide a specific one")
        target = fixed_ip or port.fixed_ips[0]
        try:
            with connection.begin_nested():
                values = {"port_id": port.id, "fixed_ip_address": target}
                db_floating_ips.update(connection, floating_ip_id, values)
        except sa.exc.IntegrityError as error:
            where = (current.address, current.id, port.id, target, current.network_id)
            raise FloatingIPPortAlreadyAssociated(*where) from error


def _floating_ip(connection: Connection, context: RequestContext, floating_ip_id: str) -> objects.FloatingIP:
    found = db_floating_ips.get(connection, floating_ip_id)
    if found is None or not sees(context, found):
        raise FloatingIPNotFound(floating_ip_id)
    return found
