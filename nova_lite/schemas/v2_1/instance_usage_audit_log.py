"""Formats of the log of usage audits in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, wrapped

_count = {"type": "integer", "minimum": 0}
_audits = closed(
    {
        "hosts_not_run": {"type": "array", "items": types.string},
        "log": {
            "type": "object",
            "additionalProperties": closed(
                {"instances": _count, "errors": _count, "message": types.string, "state": types.string}
            ),
        },
        "num_hosts": _count,
        "num_hosts_done": _count,
        "num_hosts_not_run": _count,
        "num_hosts_running": _count,
        "overall_status": types.string,
        "period_beginning": types.string,
        "period_ending": types.string,
        "total_errors": _count,
        "total_instances": _count,
    }
)
index_output_2_1 = wrapped("instance_usage_audit_logs", _audits)
show_output_2_1 = wrapped("instance_usage_audit_log", _audits)
