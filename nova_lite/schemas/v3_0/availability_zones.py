"""Formats of availability zones in major 3: hosts and services are lists, names are values."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing

index_query_3_0 = types.no_query
detail_query_3_0 = types.no_query

_boolean = {"type": "boolean"}
_service = closed(
    {
        "binary": types.string,
        "active": _boolean,
        "available": _boolean,
        "updated_at": types.timestamp_or_null,
    }
)
_host = closed({"host": types.string, "services": {"type": "array", "items": _service}})
_zone = {"name": types.string, "available": _boolean}

index_output_3_0 = listing("availability_zones", closed(_zone), next_links=False)
detail_output_3_0 = listing(
    "availability_zones",
    closed(_zone | {"hosts": {"type": "array", "items": _host}}, mapping={"hosts": "host_list"}),
    next_links=False,
)
