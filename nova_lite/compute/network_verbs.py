"""Networks and their subnets, for the Network service: seen, made, changed and deleted by projects.

A network has one subnet here, with the host as its gateway; the host makes it with its first server.
"""

from __future__ import annotations

import ipaddress
import uuid as uuidlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from nova_lite import objects
from nova_lite.compute import networks
from nova_lite.compute.network_base import NetworkBase, owner_of
from nova_lite.compute.network_errors import (
    InvalidInput,
    NetworkInUse,
    NetworkNotFound,
    SubnetInUse,
    SubnetNotFound,
)
from nova_lite.context import RequestContext
from nova_lite.db import networks as db_networks
from nova_lite.db.engine import Connection
from nova_lite.db.times import now


class NetworkVerbs(NetworkBase):
    """/v2.0/networks and /v2.0/subnets."""

    def list_networks(self, context: RequestContext) -> list[objects.Network]:
        """The caller's project's, and those that everybody sees; all for an administrator."""
        with self.database.read() as connection:
            return [one for one in db_networks.list_(connection, bare=True) if _is_seen(context, one)]

    def get_network(self, context: RequestContext, network_id: str) -> objects.Network:
        """NetworkNotFound also for a stranger's."""
        with self.database.read() as connection:
            return self._network(connection, context, network_id)

    def create_network(
        self,
        context: RequestContext,
        *,
        name: str = "",
        description: str = "",
        shared: bool = False,
        external: bool = False,
        project_id: str | None = None,
    ) -> objects.Network:
        """A network without a range yet; nobody can use it before it has one."""
        owner = owner_of(context, project_id, "create_network:tenant_id")
        network = objects.Network(
            id=str(uuidlib.uuid4()),
            host=self.conf.host,
            name=name,
            project_id=owner,
            shared=shared,
            is_default=False,
            created_at=now(),
            subnet_id="",
            cidr="",
            gateway_ip="",
            pool_start="",
            pool_end="",
            description=description,
            external=external,
        )
        with self.database.write() as connection:
            self.database.lock(connection, "networks")
            own = [one for one in db_networks.list_(connection, bare=True) if one.project_id == owner]
            self._within("network", len(own))
            db_networks.insert(connection, network)
        return network

    def update_network(
        self, context: RequestContext, network: objects.Network, values: dict[str, Any]
    ) -> objects.Network:
        """:param values: ``name``, ``description``, ``shared``, ``external``. NetworkInUse: others have ports on it."""
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{network.id}")
            current = self._network(connection, context, network.id)
            ports = db_networks.ports_on(connection, current.id)
            turned = values.get("external", current.external) != current.external
            private = current.shared and values.get("shared") is False
            if (turned and ports) or (private and any(port.project_id != current.project_id for port in ports)):
                raise NetworkInUse(current.id)
            db_networks.update(connection, current.id, values)
        return replace(current, **values)

    def delete_network(self, context: RequestContext, network: objects.Network) -> None:
        """With its subnet. NetworkInUse while there are ports on it, a router's too."""
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{network.id}")
            current = self._network(connection, context, network.id)
            if db_networks.count_ports(connection, current.id) or db_networks.count_routers(connection, current.id):
                raise NetworkInUse(current.id)
            db_networks.delete(connection, current.id)

    def list_subnets(self, context: RequestContext) -> list[objects.Subnet]:
        return [objects.Subnet(one) for one in self.list_networks(context) if one.subnet_id]

    def get_subnet(self, context: RequestContext, subnet_id: str) -> objects.Subnet:
        """SubnetNotFound also for a stranger's."""
        with self.database.read() as connection:
            found = db_networks.of_subnet(connection, subnet_id)
        if found is None or not _is_seen(context, found):
            raise SubnetNotFound(subnet_id)
        return objects.Subnet(found)

    def create_subnet(
        self,
        context: RequestContext,
        *,
        network_id: str,
        cidr: str,
        name: str = "",
        description: str = "",
        gateway_ip: str | None = None,
        pools: Sequence[tuple[str, str]] = (),
        dns_servers: Sequence[str] = (),
        enable_dhcp: bool = True,
    ) -> objects.Subnet:
        """Give a network its range. InvalidInput names what of it cannot be; a second one cannot."""
        if len(pools) > 1:
            raise InvalidInput("allocation_pools: a subnet has one pool on this host")
        with self.database.write() as connection:
            self.database.lock(connection, "networks")
            network = self._network(connection, context, network_id)
            if network.project_id != context.project_id and not context.is_admin:
                raise NetworkNotFound(network_id)  # everybody's to use, not to change
            if network.subnet_id:
                raise InvalidInput(f"network {network.id} has a subnet, and a network has one on this host")
            facts = networks.checked_range(cidr, gateway_ip, pools[0] if pools else None, dns_servers)
            if not context.is_admin:
                self._for_projects(facts.cidr)
            owner = network.project_id
            own = [one for one in db_networks.list_(connection) if one.project_id == owner]
            self._within("subnet", len(own))
            if networks.overlapping(connection, facts.cidr) is not None:
                raise InvalidInput(
                    f"Requested subnet with cidr: {cidr} for network: {network.id} overlaps with another subnet"
                )
            made = replace(
                network,
                **vars(facts),
                subnet_id=str(uuidlib.uuid4()),
                subnet_name=name,
                subnet_description=description,
                enable_dhcp=enable_dhcp,
                subnet_created_at=now(),
            )
            db_networks.insert_subnet(connection, made)
        return objects.Subnet(made)

    def _for_projects(self, cidr: str) -> None:
        """A range is the host's own, too: what projects choose must not be where the host finds somebody else."""
        whole = ipaddress.IPv4Network(cidr)
        ranges = self.conf.network.project_ranges
        if not any(whole.subnet_of(ipaddress.IPv4Network(one)) for one in ranges):
            raise InvalidInput(f"cidr: {cidr} is in none of the ranges for projects: {', '.join(ranges) or 'none'}")

    def update_subnet(self, context: RequestContext, subnet: objects.Subnet, values: dict[str, Any]) -> objects.Subnet:
        """:param values: by the names of objects.Network: ``subnet_name``, ``subnet_description``, ``dns_servers``,
        ``enable_dhcp``; servers hear of the latter two when dnsmasq is started next."""
        with self.database.write() as connection:
            current = db_networks.of_subnet(connection, subnet.network.subnet_id)
            if current is None:
                raise SubnetNotFound(subnet.network.subnet_id)
            changed = replace(current, **values)
            pool = (changed.pool_start, changed.pool_end)
            networks.checked_range(changed.cidr, changed.gateway_ip, pool, changed.dns_servers)
            db_networks.update(connection, current.id, values)
        self._put_in_force("The subnet is changed")
        return objects.Subnet(changed)

    def delete_subnet(self, context: RequestContext, subnet: objects.Subnet) -> None:
        """The network stays, without a range. SubnetInUse while a port has an address of it."""
        network_id = subnet.network.id
        with self.database.write() as connection:
            self.database.lock(connection, f"network:{network_id}")
            if any(port.fixed_ips for port in db_networks.ports_on(connection, network_id)):
                raise SubnetInUse(subnet.network.subnet_id)
            db_networks.delete_subnet(connection, network_id)

    def _network(self, connection: Connection, context: RequestContext, network_id: str) -> objects.Network:
        found = db_networks.get(connection, network_id)
        if found is None or not _is_seen(context, found):
            raise NetworkNotFound(network_id)
        return found


def _is_seen(context: RequestContext, network: objects.Network) -> bool:
    everybody = network.shared or network.external
    return bool(context.is_admin) or everybody or network.project_id == context.project_id
