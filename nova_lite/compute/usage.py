"""What projects used in a period: hours of servers, and of their vCPUs, memory and disks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from oslo_config import cfg

from nova_lite.context import RequestContext
from nova_lite.db import hosts as db_hosts
from nova_lite.db import usage as db_usage
from nova_lite.db.engine import Database
from nova_lite.db.times import now


@dataclass
class ServerUsage:
    """One server in the period. ``hours`` of the period that it was there; ``uptime`` in seconds, in all."""

    uuid: str
    name: str
    project_id: str
    flavor: str
    vcpus: int
    memory_mb: int
    local_gb: int
    started_at: datetime
    ended_at: datetime | None
    state: str
    hours: float
    uptime: int


@dataclass
class ProjectUsage:
    """The servers of one project in the period."""

    project_id: str
    start: datetime
    stop: datetime
    servers: list[ServerUsage] = field(default_factory=list)

    @property
    def hours(self) -> float:
        return sum(server.hours for server in self.servers)

    @property
    def vcpu_hours(self) -> float:
        return sum(server.hours * server.vcpus for server in self.servers)

    @property
    def memory_mb_hours(self) -> float:
        return sum(server.hours * server.memory_mb for server in self.servers)

    @property
    def local_gb_hours(self) -> float:
        return sum(server.hours * server.local_gb for server in self.servers)


class UsageVerbs:
    """/os-simple-tenant-usage, /os-instance_usage_audit_log."""

    conf: cfg.ConfigOpts
    database: Database

    def project_usages(
        self,
        context: RequestContext,
        start: datetime,
        stop: datetime,
        *,
        project_id: str | None = None,
        limit: int,
        marker: str | None = None,
    ) -> list[ProjectUsage]:
        """What each project (or one) used from ``start`` to ``stop``, by project; deleted servers until their end.

        :param limit: most servers, by project and uuid; a project that does not fit is shown with those that do.
        :param marker: uuid of the last server of the previous page; Invalid when there is none.
        """
        asked_at = now()
        stop = min(stop, asked_at)
        with self.database.read() as connection:
            rows = db_usage.launched_between(connection, start, stop, project_id, limit, marker)
        found: dict[str, ProjectUsage] = {}
        for row in rows:
            of_project = found.setdefault(row.project_id, ProjectUsage(row.project_id, start, stop))
            of_project.servers.append(_server_usage(row, start, stop, asked_at))
        return list(found.values())

    def usage_audits(self, context: RequestContext, before: datetime | None = None) -> dict[str, Any]:
        """The usage audits of the last calendar month that was over at ``before`` (now): nobody makes any here, as by
        default in Nova, so every host is one that has not run them."""
        end = (before or now()).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        if before is not None and end == before:
            end = _month_before(end)
        with self.database.read() as connection:
            services = db_hosts.list_services(connection, "", 0)
        hosts = sorted({service.host for service in services if service.binary == db_hosts.COMPUTE})
        return {"period_beginning": _month_before(end), "period_ending": end, "hosts": hosts}


def _month_before(first: datetime) -> datetime:
    """The first of the month before, of a first of a month."""
    return (first - timedelta(days=1)).replace(day=1)


def _server_usage(row: Any, start: datetime, stop: datetime, asked_at: datetime) -> ServerUsage:
    flavor = row.flavor
    there = min(row.terminated_at or stop, stop) - max(row.launched_at, start)
    return ServerUsage(
        uuid=row.uuid,
        name=row.display_name,
        project_id=row.project_id,
        flavor=flavor["name"],
        vcpus=flavor["vcpus"],
        memory_mb=flavor["memory_mb"],
        local_gb=flavor["root_gb"] + flavor["ephemeral_gb"],
        started_at=row.launched_at,
        ended_at=row.terminated_at,
        state="terminated" if row.terminated_at else row.vm_state,
        hours=max(there.total_seconds(), 0.0) / 3600,
        uptime=max(int(((row.terminated_at or asked_at) - row.launched_at).total_seconds()), 0),
    )


def parse_time(text: str, formats: Iterable[str]) -> datetime:
    """A time in UTC written in one of the formats (strptime's). ValueError for anything else."""
    for each in formats:
        try:
            return datetime.strptime(text, each).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise ValueError(text)
