"""Services, hypervisors and availability zones: what truly runs, which is the agent of each host."""

from __future__ import annotations

from typing import Any

from oslo_config import cfg

from nova_lite import exceptions, objects
from nova_lite.context import RequestContext
from nova_lite.db import hosts as db_hosts
from nova_lite.db import instances as db_instances
from nova_lite.db.engine import Connection, Database

# Nova counts 512 MiB as the host's own; it is in memory_mb_used of an empty host.
RESERVED_HOST_MEMORY_MB = 512


class HostVerbs:
    """/os-services, /os-hosts, /os-hypervisors, /os-availability-zone."""

    conf: cfg.ConfigOpts
    database: Database

    # -- services ----------------------------------------------------------------------------------------------

    def _services(self, connection: Connection, binary: str | None = None) -> list[objects.Service]:
        options = self.conf.compute
        services = db_hosts.list_services(connection, options.default_availability_zone, options.service_down_time)
        return [service for service in services if binary in (None, service.binary)]

    def list_services(
        self, context: RequestContext, binary: str | None = None, host: str | None = None
    ) -> list[objects.Service]:
        """The agents, as ``nova-compute``. There is no nova-scheduler and no nova-conductor to list."""
        with self.database.read() as connection:
            services = self._services(connection, binary or None)
        return [service for service in services if not host or service.host == host]

    def get_service(self, context: RequestContext, service_id: str | int) -> objects.Service:
        """By uuid, or by number (microversions before 2.53). NotFound when there is none."""
        with self.database.read() as connection:
            for service in self._services(connection):
                if str(service_id) in (service.uuid, str(service.id)):
                    return service
        raise exceptions.NotFound(f"Service {service_id} could not be found.")

    def update_service(
        self,
        context: RequestContext,
        service: objects.Service,
        *,
        disabled: bool | None = None,
        reason: str | None = None,
        forced_down: bool | None = None,
    ) -> objects.Service:
        """Disable (with a reason) or enable it for new servers, or declare it down whatever its heartbeat says."""
        values: dict[str, Any] = {}
        if disabled is not None:
            values |= {"disabled": disabled, "disabled_reason": reason if disabled else None}
        if forced_down is not None:
            values["forced_down"] = forced_down
        if values:
            with self.database.write() as connection:
                db_hosts.update_service(connection, service.id, values)
        return self.get_service(context, service.uuid)

    def delete_service(self, context: RequestContext, service: objects.Service) -> None:
        """Forget a service and its host. Conflict while servers live there. A running agent writes itself again."""
        with self.database.write() as connection:
            self.database.lock(connection, "scheduling")
            if db_instances.host_usage(connection, service.host)["instances"]:
                raise exceptions.Conflict(
                    "Unable to delete compute service that is hosting instances. Migrate or delete the instances first."
                )
            db_hosts.delete_service(connection, service)

    # -- hosts -------------------------------------------------------------------------------------------------

    def service_of_host(self, context: RequestContext, host: str) -> objects.Service:
        """The compute service of a host. NotFound when it has none."""
        for service in self.list_services(context, db_hosts.COMPUTE, host):
            return service
        raise exceptions.NotFound(f"Compute host {host} could not be found.")

    def host_resources(self, context: RequestContext, host: str) -> list[dict[str, Any]]:
        """{"host", "project", "cpu", "memory_mb", "disk_gb"} of a host: all that it has under the project "(total)",
        what is used under "(used_now)", what its servers may use under "(used_max)", and then of each project.

        NotFound when there is no such host.
        """
        with self.database.read() as connection:
            all_hosts = self._hypervisors(connection, with_servers=False)
            found = next((each for each in all_hosts if each.hypervisor_hostname == host), None)
            if found is None:
                raise exceptions.NotFound(f"Compute host {host} could not be found.")
            by_project: dict[str, list[int]] = {}
            for server in db_instances.of_host(connection, host):
                flavor = server.flavor
                sizes = (flavor.vcpus, flavor.memory_mb, flavor.root_gb + flavor.ephemeral_gb)
                so_far = by_project.get(server.project_id, [0, 0, 0])
                by_project[server.project_id] = [old + more for old, more in zip(so_far, sizes, strict=True)]
        rows = {
            "(total)": [found.vcpus, found.memory_mb, found.local_gb],
            "(used_now)": [found.vcpus_used, found.memory_mb_used, found.local_gb_used],
            "(used_max)": [sum(column) for column in zip(*by_project.values(), strict=True)] or [0, 0, 0],
            **by_project,
        }
        return [
            {"host": host, "project": project, "cpu": cpu, "memory_mb": memory_mb, "disk_gb": disk_gb}
            for project, (cpu, memory_mb, disk_gb) in rows.items()
        ]

    # -- hypervisors -------------------------------------------------------------------------------------------

    def list_hypervisors(
        self,
        context: RequestContext,
        *,
        pattern: str | None = None,
        limit: int | None = None,
        marker: str | int | None = None,
        with_servers: bool = False,
    ) -> list[objects.Hypervisor]:
        """Hosts by age.

        :param pattern: part of the host's name; NotFound when none matches.
        :param marker: uuid or number of the last one of the previous page; Invalid when there is none.
        :param with_servers: fill in ``servers``, (uuid, name) of each live one.
        """
        with self.database.read() as connection:
            found = self._hypervisors(connection, with_servers)
        if pattern is not None:
            found = [each for each in found if pattern in each.hypervisor_hostname]
            if not found:
                raise exceptions.NotFound(f"No hypervisor matching '{pattern}' could be found.")
        if marker is not None:
            ids = [position for position, each in enumerate(found) if str(marker) in (each.uuid, str(each.id))]
            if not ids:
                raise exceptions.Invalid(f"marker [{marker}] not found")
            found = found[ids[0] + 1 :]
        return found if limit is None else found[:limit]

    def get_hypervisor(
        self, context: RequestContext, hypervisor_id: str | int, with_servers: bool = False
    ) -> objects.Hypervisor:
        """By uuid, or by number (microversions before 2.53). NotFound when there is none."""
        with self.database.read() as connection:
            for hypervisor in self._hypervisors(connection, with_servers):
                if str(hypervisor_id) in (hypervisor.uuid, str(hypervisor.id)):
                    return hypervisor
        raise exceptions.NotFound(f"Hypervisor with ID '{hypervisor_id}' could not be found.")

    def _hypervisors(self, connection: Connection, with_servers: bool) -> list[objects.Hypervisor]:
        services = {service.host: service for service in self._services(connection, db_hosts.COMPUTE)}
        nodes = [node for node in db_hosts.list_nodes(connection) if node.host in services]
        names = db_instances.names_of_hosts(connection, [node.host for node in nodes]) if with_servers else {}
        found = []
        for node in nodes:
            used = db_instances.host_usage(connection, node.host)
            found.append(
                objects.Hypervisor(
                    id=node.id,
                    uuid=node.uuid,
                    hypervisor_hostname=node.host,
                    hypervisor_type=node.hypervisor_type,
                    hypervisor_version=node.hypervisor_version,
                    host_ip=node.host_ip,
                    vcpus=node.vcpus,
                    vcpus_used=used["cores"],
                    memory_mb=node.memory_mb,
                    memory_mb_used=used["ram"] + RESERVED_HOST_MEMORY_MB,
                    local_gb=node.local_gb,
                    local_gb_used=used["disk"],
                    disk_available_least=node.disk_available_least,
                    running_vms=used["instances"],
                    current_workload=used["busy"],
                    cpu_info=node.cpu_info,
                    uptime=node.uptime,
                    service=services[node.host],
                    servers=names.get(node.host, []),
                )
            )
        return found

    # -- availability zones ------------------------------------------------------------------------------------

    def availability_zones(self, context: RequestContext) -> list[dict[str, Any]]:
        """Every zone by name: {"name", "available", "hosts": {host: {binary: {"available", "active", "updated_at"}}}}.

        A zone is available while a service in it is enabled; the hosts of disabled services are left out, as in Nova.
        """
        zones: dict[str, dict[str, dict[str, Any]]] = {}
        services = self.list_services(context)
        for service in services:
            hosts = zones.setdefault(service.zone, {})
            if not service.disabled:
                hosts.setdefault(service.host, {})[service.binary] = {
                    "available": service.state == "up",
                    "active": True,
                    "updated_at": service.updated_at,
                }
        if not services:
            zones[self.conf.compute.default_availability_zone] = {}
        return [{"name": name, "available": bool(hosts), "hosts": hosts} for name, hosts in sorted(zones.items())]
