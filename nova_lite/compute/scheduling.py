"""Finding a host for a new server.

A host whose agent is merely silent is still a candidate: work for it waits in the journal. One that was disabled or
declared down is not.
"""

from __future__ import annotations

from dataclasses import dataclass

from oslo_config import cfg
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.db import hosts as db_hosts
from nova_lite.db import instances as db_instances
from nova_lite.db.engine import Database


class NoValidHost(Exception):
    def __init__(self) -> None:
        super().__init__("No valid host was found. There are not enough hosts available.")


@dataclass
class _Room:
    """What may still be allotted on a host."""

    vcpus: float
    memory_mb: float


class Scheduler:
    """The hosts as one transaction sees them; holds their lock until it ends, so that none is filled twice."""

    def __init__(self, connection: Connection, database: Database, conf: cfg.ConfigOpts) -> None:
        database.lock(connection, "scheduling")
        self._own_host: str = conf.host
        options = conf.compute
        services = db_hosts.list_services(connection, "", options.service_down_time)
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
                )

    def wished_host(self, host: str | None, node: str | None) -> str | None:
        """The host that a request names, by either name. Invalid when there is none of that name."""
        for name in (host, node):
            if name is not None and name not in (self._known or {self._own_host}):
                raise exceptions.Invalid(f"Compute host {name} could not be found.")
        if host and node and host != node:
            raise exceptions.Invalid(f"Compute host {host} has no node {node}.")
        return host or node

    def place(self, flavor: objects.Flavor, wished: str | None = None) -> str:
        """The host with most free memory that has room; takes that room. NoValidHost when there is none."""
        if not self._known:
            return self._own_host  # its agent never ran: what it has is unknown, and the work waits for it
        fitting = {
            host: room
            for host, room in self._room.items()
            if wished in (None, host) and room.vcpus >= flavor.vcpus and room.memory_mb >= flavor.memory_mb
        }
        if not fitting:
            raise NoValidHost
        host = max(fitting, key=lambda name: fitting[name].memory_mb)
        self._room[host].vcpus -= flavor.vcpus
        self._room[host].memory_mb -= flavor.memory_mb
        return host
