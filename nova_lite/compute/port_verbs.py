"""Ports, for the Network service: cards of servers, and what is there before its server and stays after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from nova_lite import exceptions, objects
from nova_lite.compute import networks
from nova_lite.compute.network_base import NetworkBase, owner_of, scope_of, sees
from nova_lite.compute.network_errors import (
    InvalidInput,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    MacAddressInUse,
    NetworkNotFound,
    PortInUse,
    PortNotFound,
    SecurityGroupNotFound,
    ServicePortInUse,
)
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db import security_groups as db_groups
from nova_lite.db.engine import Connection

_MOST_ADDRESSES = 10


class PortVerbs(NetworkBase):
    """/v2.0/ports."""

    def list_ports(self, context: RequestContext) -> list[objects.Port]:
        with self.database.read() as connection:
            return db_networks.all_ports(connection, scope_of(context))

    def get_port(self, context: RequestContext, port_id: str) -> objects.Port:
        """PortNotFound also for a stranger's."""
        with self.database.read() as connection:
            return _port(connection, context, port_id)

    def create_port(
        self,
        context: RequestContext,
        *,
        network_id: str,
        fixed_ips: Sequence[dict[str, str]] | None = None,
        security_groups: Sequence[str] | None = None,
        mac_address: str | None = None,
        project_id: str | None = None,
        name: str = "",
        description: str = "",
    ) -> objects.Port:
        """A port of no server.

        :param fixed_ips: its addresses, each with a ``subnet_id``, an ``ip_address`` or both; one when None.
        :param security_groups: ids; the project's default one when None.
        """
        owner = owner_of(context, project_id, "create_port:tenant_id")
        facts = {"name": name, "description": description}
        if mac_address is not None:
            facts["mac_address"] = mac_address.lower()
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{network_id}")
            network = db_networks.get(connection, network_id)
            if network is None or not (network.shared or network.external or sees(context, network)):
                raise NetworkNotFound(network_id)
            if network.external:
                raise InvalidInput(f"network_id: {network_id} is external, only floating IPs come from it")
            self._within("port", len(db_networks.all_ports(connection, owner)))
            groups = self._groups(connection, owner, security_groups)
            wanted = _addresses(connection, network, fixed_ips)
            try:
                with connection.begin_nested():
                    made = db_networks.insert_port(connection, network, None, owner, groups, True, **facts)
            except sa.exc.IntegrityError as error:
                raise MacAddressInUse(network.id, str(mac_address)) from error
            _give(connection, network, made, wanted)
            return _port(connection, context, made)

    def update_port(self, context: RequestContext, port: objects.Port, values: dict[str, Any]) -> objects.Port:
        """:param values: ``name``, ``description``, ``fixed_ips`` and ``security_groups`` as for ``create_port``."""
        texts = {key: value for key, value in values.items() if key in ("name", "description")}
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{port.network_id}")
            current = _port(connection, context, port.id)
            if current.device_owner and values.keys() - texts.keys():
                raise InvalidInput(f"port {port.id} belongs to a {current.device_owner}")
            if texts:
                db_networks.update_port(connection, current.id, texts)
            if "security_groups" in values:
                wanted = set(self._groups(connection, current.project_id, values["security_groups"]))
                for group in current.security_groups.keys() - wanted:
                    db_groups.unbind(connection, group, [current.id])
                for group in wanted - current.security_groups.keys():
                    db_groups.bind(connection, group, [current.id])
            if "fixed_ips" in values:
                readdress(connection, current, values["fixed_ips"] or [])
            changed = _port(connection, context, port.id)
        if values.keys() - texts.keys():
            self._put_in_force("The port is changed")
        return changed

    def delete_port(self, context: RequestContext, port: objects.Port) -> None:
        """PortInUse while a server has it."""
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{port.network_id}")
            current = _port(connection, context, port.id)
            if current.device_owner:
                raise ServicePortInUse(current.id, current.device_owner)
            if current.device_id is not None:
                raise PortInUse(current.id, current.network_id, current.device_id)
            db_networks.delete_port(connection, current.id)
        if current.floating_ips:
            self._put_in_force("The port is deleted")

    def _groups(self, connection: Connection, project_id: str, wanted: Sequence[str] | None) -> list[str]:
        if wanted is not None and not wanted:
            return []
        try:
            return networks.groups_of(self.database, connection, project_id, wanted)
        except exceptions.Invalid as error:
            known = db_groups.names(connection, project_id, wanted or [])
            missing = next(name for name, group_id in known.items() if group_id is None)
            raise SecurityGroupNotFound(missing) from error


def readdress(connection: Connection, port: objects.Port, wanted: Sequence[dict[str, str]]) -> None:
    """Give a port these addresses instead of those that it has; what stays is not touched. The caller holds the
    network's lock. InvalidInput, IpAddressAlreadyAllocated or IpAddressGenerationFailure."""
    network = db_networks.get(connection, port.network_id)
    assert network is not None  # it has a port
    if not wanted and port.device_id is not None:
        raise InvalidInput(f"fixed_ips: port {port.id} of a server must keep an address")
    kept = [item["ip_address"] for item in wanted if item.get("ip_address") in port.fixed_ips]
    for address in port.fixed_ips:
        if address not in kept:
            db_networks.delete_address(connection, port.id, address)
    new = [item for item in wanted if item.get("ip_address") not in port.fixed_ips]
    _give(connection, network, port.id, _addresses(connection, network, new))


def _give(connection: Connection, network: objects.Network, port_id: str, addresses: Sequence[str | None]) -> None:
    for wanted in addresses:
        address = wanted or db_networks.next_free(connection, network)
        if address is None:
            raise IpAddressGenerationFailure(network.id)
        try:
            with connection.begin_nested():
                db_networks.insert_address(connection, port_id, network, address)
        except sa.exc.IntegrityError as error:
            raise IpAddressAlreadyAllocated(address, network.subnet_id) from error


def _addresses(
    connection: Connection, network: objects.Network, wanted: Sequence[dict[str, str]] | None
) -> list[str | None]:
    """What to give a port: an address, or None for the next free one."""
    if wanted is None:
        return [None] if network.subnet_id else []
    if len(wanted) > _MOST_ADDRESSES:
        raise InvalidInput(f"fixed_ips: at most {_MOST_ADDRESSES} can be had")
    found: list[str | None] = []
    for item in wanted:
        if not network.subnet_id or item.get("subnet_id", network.subnet_id) != network.subnet_id:
            raise InvalidInput(f"fixed_ips: network {network.id} has no subnet {item.get('subnet_id', '')[:64]}")
        address = item.get("ip_address")
        if address is not None:
            try:
                address = networks.free_address(connection, network, address)
            except networks.AddressInUse as error:
                raise IpAddressAlreadyAllocated(address, network.subnet_id) from error
            except exceptions.Invalid as error:
                raise InvalidInput(f"IP address {address[:64]} is not a valid IP for the specified subnet") from error
        found.append(address)
    return found


def _port(connection: Connection, context: RequestContext, port_id: str) -> objects.Port:
    found = db_networks.get_port(connection, port_id)
    if found is None or not sees(context, found):
        raise PortNotFound(port_id)
    return found
