"""Hosts, as Nova showed them until 2.42: what each has and what is used of it, by project."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, schemas
from nova_lite.api import validation, wsgi


class ListParams(TypedDict, total=False):
    zone: str


class ItemParams(TypedDict, total=False):
    host_name: str


class UpdateParams(ItemParams, total=False):
    status: str
    maintenance_mode: str


class HostsController(wsgi.Controller):
    resource = "hosts"

    @wsgi.route("GET", "/os-hosts", policy="os_compute_api:os-hosts:list")
    @wsgi.version(base="2.1", max="2.42")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.hosts.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the hosts of enabled services.

        The scheduler and the conductor, which are parts of the API here, are in the zone ``internal``, as in Nova.
        ``zone`` narrows the list to an availability zone. From 2.43 on os-hypervisors and os-services have it all.
        """
        hosts = [
            {"host_name": service.host, "service": service.binary.removeprefix("nova-"), "zone": service.zone}
            for service in self.compute.list_services(req.context)
            if not service.disabled
        ]
        # What Nova has services of their own for, the API does itself.
        own = self.compute.conf.host
        hosts += [{"host_name": own, "service": name, "zone": "internal"} for name in ("conductor", "scheduler")]
        zone = params.get("zone")
        return {"hosts": [host for host in hosts if not zone or zone == host["zone"]]}

    @wsgi.route("GET", "/os-hosts/{host_name}", policy="os_compute_api:os-hosts:show")
    @wsgi.version(base="2.1", max="2.42")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.hosts.show)
    def show(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """Show what a host has and what is used of it.

        In all, now (with what the host keeps for itself), by the servers together, and by the servers of each
        project; memory in MiB, disk in GiB.
        """
        return {"host": self.compute.host_resources(req.context, params["host_name"])}

    @wsgi.route("PUT", "/os-hosts/{host_name}", policy="os_compute_api:os-hosts:update")
    @wsgi.version(base="2.1", max="2.42")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 501)
    @validation.schema(schemas.hosts.update)
    def update(self, req: wsgi.Request, obj: None, params: UpdateParams) -> dict[str, Any]:
        """Enable or disable a host for new servers.

        As os-services does it for the host's compute service. There is no maintenance mode (501).
        """
        service = self.compute.service_of_host(req.context, params["host_name"])
        if "maintenance_mode" in params:
            raise exceptions.NotSupported()
        disabled = params["status"].lower() == "disable"
        self.compute.update_service(req.context, service, disabled=disabled)
        return {"host": service.host, "status": "disabled" if disabled else "enabled"}

    @wsgi.route("GET", "/os-hosts/{host_name}/startup", policy="os_compute_api:os-hosts:start")
    @wsgi.version(base="2.1", max="2.42")
    @wsgi.response(200)
    @wsgi.expected_errors(404, 501)
    def startup(self, req: wsgi.Request, obj: None, params: ItemParams) -> None:
        """Start a host.

        501: nothing here has power over hosts, as with Nova's KVM driver.
        """
        self._refuse(req, params)

    @wsgi.route("GET", "/os-hosts/{host_name}/shutdown", policy="os_compute_api:os-hosts:shutdown")
    @wsgi.version(base="2.1", max="2.42")
    @wsgi.response(200)
    @wsgi.expected_errors(404, 501)
    def shutdown(self, req: wsgi.Request, obj: None, params: ItemParams) -> None:
        """Shut a host down.

        501: nothing here has power over hosts, as with Nova's KVM driver.
        """
        self._refuse(req, params)

    @wsgi.route("GET", "/os-hosts/{host_name}/reboot", policy="os_compute_api:os-hosts:reboot")
    @wsgi.version(base="2.1", max="2.42")
    @wsgi.response(200)
    @wsgi.expected_errors(404, 501)
    def reboot(self, req: wsgi.Request, obj: None, params: ItemParams) -> None:
        """Reboot a host.

        501: nothing here has power over hosts, as with Nova's KVM driver.
        """
        self._refuse(req, params)

    def _refuse(self, req: wsgi.Request, params: ItemParams) -> None:
        self.compute.service_of_host(req.context, params["host_name"])
        raise exceptions.NotSupported()
