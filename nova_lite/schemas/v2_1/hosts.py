"""Formats of hosts in major 2, until 2.42."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing

index_query_2_1 = types.lax_query({"zone": types.any_query})

_switch = {"type": "string", "enum": ["enable", "disable", "Enable", "Disable", "ENABLE", "DISABLE"]}
_switches = {"status": _switch, "maintenance_mode": _switch}
update_input_2_1 = closed(_switches, optional=_switches) | {"minProperties": 1}

_integer = {"type": "integer"}
index_output_2_1 = listing(
    "hosts", closed({"host_name": types.string, "service": types.string, "zone": types.string}), next_links=False
)
show_output_2_1 = listing(
    "host",
    closed(
        {
            "resource": closed(
                {
                    "host": types.string,
                    "project": types.string,
                    "cpu": _integer,
                    "memory_mb": _integer,
                    "disk_gb": _integer,
                }
            )
        }
    ),
    next_links=False,
)
update_output_2_1 = closed({"host": types.string, "status": {"type": "string", "enum": ["enabled", "disabled"]}})
