"""Usage: hours of servers, vCPUs, memory and disks that projects used in a period."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypedDict

from nova_lite import exceptions, schemas
from nova_lite.api import pages, times, validation, wsgi
from nova_lite.compute.usage import ProjectUsage, parse_time
from nova_lite.db.times import now

_LIST = {2: "/os-simple-tenant-usage", 3: "/usage"}
_FORMATS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f")
_FORMATS_3 = ("%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%fZ", *_FORMATS)


class PeriodParams(TypedDict, total=False):
    start: str
    end: str
    limit: int
    marker: str


class ListParams(PeriodParams, total=False):
    detailed: str
    with_servers: bool


class ShowParams(PeriodParams, total=False):
    tenant_id: str


def _project(req: wsgi.Request) -> dict[str, Any]:
    """Policy is about the project that the path names."""
    return {"project_id": req.fields["tenant_id"], "user_id": req.context.user_id}


class SimpleTenantUsageController(wsgi.Controller):
    resource = "simple_tenant_usage"

    @wsgi.route("GET", _LIST[2], v3=_LIST[3], policy="os_compute_api:os-simple-tenant-usage:list")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.simple_tenant_usage.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List what projects used in a period.

        From ``start`` to ``end`` (UTC; now by default), servers that were deleted among it. ``detailed=1`` shows each
        server. From 2.40 on in pages of servers, with ``limit`` and ``marker``.
        """
        usages, links = self._usages(req, params, _LIST[req.version.major])
        with_servers = params.get("detailed") == "1" or params.get("with_servers", False)
        return {"usages": [_view(usage, with_servers) for usage in usages]} | links

    @wsgi.route(
        "GET",
        f"{_LIST[2]}/{{tenant_id}}",
        v3=f"{_LIST[3]}/{{tenant_id}}",
        policy="os_compute_api:os-simple-tenant-usage:show",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @wsgi.target(_project)
    @validation.schema(schemas.simple_tenant_usage.show)
    def show(self, req: wsgi.Request, obj: None, params: ShowParams) -> dict[str, Any]:
        """Show what a project used in a period, by server.

        Empty for a project that used nothing. From 2.40 on in pages of servers, with ``limit`` and ``marker``.
        """
        project_id = params["tenant_id"]
        usages, links = self._usages(req, params, f"{_LIST[req.version.major]}/{project_id}", project_id)
        return (_view(usages[0], True) if usages else {}) | links

    def _usages(
        self, req: wsgi.Request, params: PeriodParams, path: str, project_id: str | None = None
    ) -> tuple[list[ProjectUsage], dict[str, Any]]:
        start, stop = _period(params, _FORMATS if req.version.major == 2 else _FORMATS_3)
        max_limit = self.compute.conf.api.max_limit
        usages = self.compute.project_usages(
            req.context,
            start,
            stop,
            project_id=project_id,
            limit=pages.page_size(params, max_limit),
            marker=params.get("marker"),
        )
        if req.version < (2, 40):
            return usages, {}
        markers = [server.uuid for usage in usages for server in usage.servers]
        return usages, pages.next_links(req, "usages", path, markers, params, max_limit)


def _period(params: PeriodParams, formats: tuple[str, ...]) -> tuple[datetime, datetime]:
    at = now()
    start = _time(params.get("start"), formats) or at
    stop = _time(params.get("end"), formats) or at + timedelta(microseconds=1)
    if not start < stop:
        raise exceptions.Invalid("Invalid start time. The start time cannot occur after the end time.")
    return start, stop


def _time(text: str | None, formats: tuple[str, ...]) -> datetime | None:
    if not text:
        return None
    try:
        return parse_time(text, formats)
    except ValueError as error:
        raise exceptions.Invalid("Invalid datetime string: Datetime is in invalid format") from error


def _view(usage: ProjectUsage, with_servers: bool) -> dict[str, Any]:
    view: dict[str, Any] = {
        "project_id": usage.project_id,
        "start": times.naive(usage.start),
        "stop": times.naive(usage.stop),
        "start_zoned": times.rfc3339(usage.start),
        "stop_zoned": times.rfc3339(usage.stop),
        "hours": usage.hours,
        "vcpu_hours": usage.vcpu_hours,
        "memory_mb_hours": usage.memory_mb_hours,
        "local_gb_hours": usage.local_gb_hours,
    }
    if with_servers:
        view["servers"] = [
            vars(server)
            | {
                "started_at": times.naive(server.started_at),
                "ended_at": times.naive(server.ended_at),
                "started_at_zoned": times.rfc3339(server.started_at),
                "ended_at_zoned": times.rfc3339(server.ended_at),
            }
            for server in usage.servers
        ]
    return view
