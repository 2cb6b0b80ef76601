"""Finding a host for a new server.

A host whose agent is merely silent is still a candidate: work for it waits in the journal. One that was disabled or
declared down is not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from oslo_config import cfg
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.compute.scheduling_hints import Demand
from nova_lite.db import hosts as db_hosts
from nova_lite.db import instances as db_instances
from nova_lite.db.engine import Database


class NoValidHost(Exception):
    def __init__(self, reason: str = "There are not enough hosts available.") -> None:
        super().__init__(f"No valid host was found. {reason}")


def zone_is_available(connection: Connection, conf: cfg.ConfigOpts, zone: str) -> bool:
    """Whether an enabled compute service is in that availability zone."""
    options = conf.compute
    services = db_hosts.list_services(connection, options.default_availability_zone, options.service_down_time)
    usable = {service.zone for service in services if not service.disabled}
    return zone in (usable if services else {options.default_availability_zone})


@dataclass
class _Room:
    """A host, what may still be allotted on it, and what a hint may ask about it."""

    vcpus: float
    memory_mb: float
    facts: dict[str, Any]

    def take(self, flavor: objects.Flavor) -> None:
        self.vcpus -= flavor.vcpus
        self.memory_mb -= flavor.memory_mb
        self.facts["free_ram_mb"] -= flavor.memory_mb
        self.facts["vcpus_used"] += flavor.vcpus
        self.facts["num_instances"] += 1


class Scheduler:
    """The hosts as one transaction sees them; holds their lock until it ends, so that none is filled twice."""

    def __init__(self, connection: Connection, database: Database, conf: cfg.ConfigOpts) -> None:
        database.lock(connection, "scheduling")
        self._own_host: str = conf.host
        options = conf.compute
        services = db_hosts.list_services(connection, options.default_availability_zone, options.service_down_time)
        self._default_zone: str = options.default_availability_zone
        self._zones = {service.host: service.zone for service in services}
        usable = {s.host for s in services if s.binary == db_hosts.COMPUTE and not (s.disabled or s.forced_down)}
        nodes = db_hosts.list_nodes(connection)
        self._known = {node.host for node in nodes}
        self._room: dict[str, _Room] = {}
        for node in nodes:
            if node.host in usable:
                used = db_instances.host_usage(connection, node.host)
                self._room[node.host] = _Room(
                    node.vcpus * options.cpu_allocation_ratio - used["cores"],
                    node.memory_mb * options.ram_allocation_ratio - used["ram"],
                    _facts(node, used),
                )

    def wished_host(self, host: str | None, node: str | None) -> str | None:
        """The host that a request names, by either name. Invalid when there is none of that name."""
        for name in (host, node):
            if name is not None and name not in (self._known or {self._own_host}):
                raise exceptions.Invalid(f"Compute host {name} could not be found.")
        if host and node and host != node:
            raise exceptions.Invalid(f"Compute host {host} has no node {node}.")
        return host or node

    def forced_host(self, host: str | None, node: str | None) -> str | None:
        """As ``wished_host``, of an administrator who names it in the zone. NoValidHost when there is none."""
        try:
            return self.wished_host(host, node)
        except exceptions.Invalid as error:
            raise NoValidHost(f"No such host - host: {host} node: {node}") from error

    def zone_of(self, host: str) -> str:
        """The availability zone that a host is in."""
        return self._zones.get(host, self._default_zone)

    def place(
        self,
        flavor: objects.Flavor,
        wished: str | None = None,
        demand: Demand | None = None,
        forced: bool = False,
        zone: str | None = None,
    ) -> str:
        """The host with most free memory that has room; takes that room. NoValidHost when there is none.

        :param demand: what the request's hints ask of it.
        :param forced: ``wished`` is an administrator's word, against which hints and zone do not count.
        :param zone: the availability zone that it is to be in.
        """
        demand = demand or Demand()
        if not self._known:  # its agent never ran: what it has is unknown, and the work waits for it
            host = self._own_host
            if not demand.admits(host, _NOTHING_KNOWN, forced=True):
                raise NoValidHost
        else:
            fitting = {
                host: room
                for host, room in self._room.items()
                if wished in (None, host)
                and (forced or zone in (None, self.zone_of(host)))
                and room.vcpus >= flavor.vcpus
                and room.memory_mb >= flavor.memory_mb
                and demand.admits(host, room.facts, forced)
            }
            if not fitting:
                raise NoValidHost
            host = max(fitting, key=lambda name: (demand.preference(name), fitting[name].memory_mb))
            self._room[host].take(flavor)
        demand.took(host)
        return host


_NOTHING_KNOWN: dict[str, Any] = {}


def _facts(node: Any, used: dict[str, int]) -> dict[str, Any]:
    """A host under the names of Nova's HostState."""
    return {
        "host": node.host,
        "nodename": node.host,
        "hypervisor_hostname": node.host,
        "host_ip": node.host_ip,
        "hypervisor_type": node.hypervisor_type,
        "hypervisor_version": node.hypervisor_version,
        "cpu_info": node.cpu_info,
        "vcpus_total": node.vcpus,
        "vcpus_used": used["cores"],
        "total_usable_ram_mb": node.memory_mb,
        "free_ram_mb": node.memory_mb - used["ram"],
        "total_usable_disk_gb": node.local_gb,
        "free_disk_mb": (node.local_gb - used["disk"]) * 1024,
        "num_instances": used["instances"],
        "num_io_ops": used["busy"],
    }
