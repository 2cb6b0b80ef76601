"""The log of usage audits: which hosts have counted their servers for billing in a period."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from nova_lite import exceptions, schemas
from nova_lite.api import validation, wsgi
from nova_lite.compute.usage import parse_time

_PATH = "/os-instance_usage_audit_log"
_TIME = "%Y-%m-%d %H:%M:%S"


class ShowParams(TypedDict, total=False):
    before_timestamp: str


class InstanceUsageAuditLogController(wsgi.Controller):
    resource = "instance_usage_audit_log"

    @wsgi.route("GET", _PATH, policy="os_compute_api:os-instance-usage-audit-log:list")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.instance_usage_audit_log.index)
    def index(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """Show the usage audits of the last complete period, which is a month.

        No audits are made here, as in Nova unless it is told to: every host is one that has not run them.
        """
        return self._audits(req, None)

    @wsgi.route("GET", f"{_PATH}/{{before_timestamp}}", policy="os_compute_api:os-instance-usage-audit-log:show")
    @wsgi.version(base="2.1", max="2.104")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.instance_usage_audit_log.show)
    def show(self, req: wsgi.Request, obj: None, params: ShowParams) -> dict[str, Any]:
        """Show the usage audits of the last complete period before a time.

        The time as ``2026-11-21 09:40:00``, perhaps with a fraction.
        """
        text = params["before_timestamp"]
        try:
            before = parse_time(text, (_TIME, f"{_TIME}.%f"))
            return self._audits(req, before)
        except (ValueError, OverflowError) as error:  # the first month of all has none before it
            raise exceptions.Invalid(f"Invalid timestamp for date {text[:255]}") from error

    def _audits(self, req: wsgi.Request, before: datetime | None) -> dict[str, Any]:
        audits = self.compute.usage_audits(req.context, before)
        hosts = audits["hosts"]
        return {
            "hosts_not_run": hosts,
            "log": {},
            "num_hosts": len(hosts),
            "num_hosts_done": 0,
            "num_hosts_not_run": len(hosts),
            "num_hosts_running": 0,
            "overall_status": f"{f'0 of {len(hosts)}' if hosts else 'ALL'} hosts done. 0 errors.",
            "period_beginning": audits["period_beginning"].strftime(_TIME),
            "period_ending": audits["period_ending"].strftime(_TIME),
            "total_errors": 0,
            "total_instances": 0,
        }
