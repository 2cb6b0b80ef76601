"""Formats of the security groups of a server in 3.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_port = {"type": ["integer", "null"]}
_rule = closed(
    {
        "id": pt.uuid,
        "direction": {"type": "string", "enum": ["ingress", "egress"]},
        "protocol": pt.string_or_null,
        "port_range_min": _port,
        "port_range_max": _port,
        "remote_ip_prefix": pt.string_or_null,
        "remote_group_id": pt.string_or_null,
    }
)
_group = closed(
    {
        "id": pt.uuid,
        "name": pt.string,
        "description": pt.string,
        "project_id": pt.string,
        "rules": {"type": "array", "items": _rule},
    }
)
_named = closed({"name": pt.name})

index_query_3_0 = pt.no_query
index_output_3_0 = closed({"security_groups": {"type": "array", "items": _group}})

add_input_3_0 = wrapped("add_security_group", _named)
remove_input_3_0 = wrapped("remove_security_group", _named)
