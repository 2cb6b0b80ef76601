"""Hypervisors: the host, its capacity and the servers on it."""

from __future__ import annotations

import uuid
from typing import Any, TypedDict

import orjson

from nova_lite import exceptions, objects, schemas
from nova_lite.api import pages, validation, wsgi

_SUMMED = (
    "vcpus",
    "vcpus_used",
    "memory_mb",
    "memory_mb_used",
    "free_ram_mb",
    "local_gb",
    "local_gb_used",
    "free_disk_gb",
    "disk_available_least",
    "current_workload",
    "running_vms",
)


_LIST = {2: "/os-hypervisors", 3: "/hypervisors"}
_DETAIL = {2: "/os-hypervisors/detail", 3: "/hypervisors/detail"}


class ListParams(TypedDict, total=False):
    limit: int
    marker: str
    pattern: str
    with_servers: bool


class ShowParams(TypedDict, total=False):
    hypervisor_id: str
    with_servers: bool


class ItemParams(TypedDict, total=False):
    hypervisor_id: str


class HypervisorsController(wsgi.Controller):
    """Hypervisors are looked up here: what a path names changed at 2.53, from a number to a uuid."""

    resource = "hypervisors"

    @wsgi.route("GET", _LIST[2], v3=_LIST[3], policy="os_compute_api:os-hypervisors:list")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.hypervisors.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List hypervisors.

        From 2.33 on in pages with ``limit`` and ``marker``. From 2.53 on ``hypervisor_hostname_pattern`` (a part of
        the name, not together with paging; 404 when nothing matches) and ``with_servers`` replace the routes of their
        own.
        """
        return self._list(req, params, _LIST)

    @wsgi.route("GET", _DETAIL[2], v3=_DETAIL[3], policy="os_compute_api:os-hypervisors:list-detail")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.hypervisors.detail)
    def detail(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List hypervisors with details.

        Filters and pages are those of the plain list. Until 2.87 with capacity and use (memory in MiB, disk in GiB)
        and cpu_info, as text until 2.27; from 2.88 on with the uptime in their place.
        """
        return self._list(req, params, _DETAIL)

    @wsgi.route(
        "GET",
        "/os-hypervisors/{hypervisor_id}",
        v3="/hypervisors/{hypervisor_id}",
        policy="os_compute_api:os-hypervisors:show",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.hypervisors.show)
    def show(self, req: wsgi.Request, obj: None, params: ShowParams) -> dict[str, Any]:
        """Show a hypervisor.

        Named by its uuid from 2.53 on, by its number before. With ``with_servers`` (2.53) also the servers on it.
        """
        with_servers = params.get("with_servers", False)
        return _view(self._find(req, params["hypervisor_id"], with_servers), with_servers)

    @wsgi.route("GET", "/os-hypervisors/{hypervisor_id}/uptime", policy="os_compute_api:os-hypervisors:uptime")
    @wsgi.version(base="2.1", max="2.87")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.hypervisors.uptime)
    def uptime(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """Show the uptime of a hypervisor.

        In the words of uptime(1). From 2.88 on it is part of the hypervisor.
        """
        return _view(self._find(req, params["hypervisor_id"], with_servers=False))

    @wsgi.route("GET", "/os-hypervisors/{hypervisor_id}/search", policy="os_compute_api:os-hypervisors:search")
    @wsgi.version(base="2.1", max="2.52")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.hypervisors.search)
    def search(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """Find hypervisors by a part of their name.

        The path holds that part. 404 when nothing matches. From 2.53 on the list's hypervisor_hostname_pattern.
        """
        found = self.compute.list_hypervisors(req.context, pattern=params["hypervisor_id"])
        return {"hypervisors": [_view(hypervisor) for hypervisor in found]}

    @wsgi.route("GET", "/os-hypervisors/{hypervisor_id}/servers", policy="os_compute_api:os-hypervisors:servers")
    @wsgi.version(base="2.1", max="2.52")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.hypervisors.servers)
    def servers(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """List the servers of hypervisors found by a part of their name.

        The path holds that part. 404 when nothing matches. From 2.53 on the list's with_servers.
        """
        found = self.compute.list_hypervisors(req.context, pattern=params["hypervisor_id"], with_servers=True)
        return {"hypervisors": [_view(hypervisor, with_servers=True) for hypervisor in found]}

    @wsgi.route("GET", "/os-hypervisors/statistics", policy="os_compute_api:os-hypervisors:statistics")
    @wsgi.version(base="2.1", max="2.87")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.hypervisors.statistics)
    def statistics(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """Show the sum over all hypervisors."""
        views = [_view(hypervisor) for hypervisor in self.compute.list_hypervisors(req.context)]
        return {"count": len(views)} | {name: sum(view[name] or 0 for view in views) for name in _SUMMED}

    def _list(self, req: wsgi.Request, params: ListParams, paths: dict[int, str]) -> dict[str, Any]:
        with_servers = params.get("with_servers", False)
        if "pattern" in params:
            if "limit" in params or "marker" in params:
                raise exceptions.Invalid(
                    "Paging over hypervisors with the hypervisor_hostname_pattern query parameter is not supported."
                )
            found = self.compute.list_hypervisors(req.context, pattern=params["pattern"], with_servers=with_servers)
            return {"hypervisors": [_view(hypervisor, with_servers) for hypervisor in found]}
        max_limit = self.compute.conf.api.max_limit
        found = self.compute.list_hypervisors(
            req.context,
            limit=pages.page_size(params, max_limit),
            marker=params.get("marker"),
            with_servers=with_servers,
        )
        markers = [hypervisor.uuid if req.version >= (2, 53) else hypervisor.id for hypervisor in found]
        path = paths[req.version.major]
        next_links = pages.next_links(req, "hypervisors", path, markers, params, max_limit)
        return {"hypervisors": [_view(hypervisor, with_servers) for hypervisor in found]} | next_links

    def _find(self, req: wsgi.Request, identifier: str, with_servers: bool) -> objects.Hypervisor:
        """The hypervisor that a path names: by uuid from 2.53 on, by number before."""
        if req.version >= (2, 53):
            try:
                identifier = str(uuid.UUID(identifier))
            except ValueError as error:
                raise exceptions.Invalid(f"Invalid uuid {identifier}") from error
        elif not (identifier.isascii() and identifier.isdecimal()):
            raise exceptions.NotFound(f"Hypervisor with ID '{identifier}' could not be found.")
        return self.compute.get_hypervisor(req.context, identifier, with_servers=with_servers)


def _view(hypervisor: objects.Hypervisor, with_servers: bool = False) -> dict[str, Any]:
    service = hypervisor.service
    view = {
        "id": hypervisor.id,
        "uuid": hypervisor.uuid,
        "hypervisor_hostname": hypervisor.hypervisor_hostname,
        "hypervisor_type": hypervisor.hypervisor_type,
        "hypervisor_version": hypervisor.hypervisor_version,
        "host_ip": hypervisor.host_ip,
        "state": service.state if service else "down",
        "status": "disabled" if service and service.disabled else "enabled",
        "service_id": service.id if service else 0,
        "service_uuid": service.uuid if service else None,
        "service_host": service.host if service else hypervisor.hypervisor_hostname,
        "service_disabled_reason": service.disabled_reason if service else None,
        "vcpus": hypervisor.vcpus,
        "vcpus_used": hypervisor.vcpus_used,
        "memory_mb": hypervisor.memory_mb,
        "memory_mb_used": hypervisor.memory_mb_used,
        "free_ram_mb": hypervisor.memory_mb - hypervisor.memory_mb_used,
        "local_gb": hypervisor.local_gb,
        "local_gb_used": hypervisor.local_gb_used,
        "free_disk_gb": hypervisor.local_gb - hypervisor.local_gb_used,
        "disk_available_least": hypervisor.disk_available_least,
        "current_workload": hypervisor.current_workload,
        "running_vms": hypervisor.running_vms,
        "cpu_info": hypervisor.cpu_info,
        "cpu_info_text": orjson.dumps(hypervisor.cpu_info).decode(),
        "uptime": hypervisor.uptime,
    }
    if with_servers:
        view["servers"] = [{"uuid": server_id, "name": name} for server_id, name in hypervisor.servers]
        if hypervisor.servers:
            view["servers_if_any"] = view["servers"]
    return view
