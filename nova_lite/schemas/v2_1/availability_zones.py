"""Formats of availability zones in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing

index_query_2_1 = types.any_query_at_all
index_query_2_102 = types.no_query
detail_query_2_1 = types.any_query_at_all
detail_query_2_102 = types.no_query

_service = closed(
    {
        "active": {"type": "boolean"},
        "available": {"type": "boolean"},
        "updated_at": types.naive_timestamp_or_null,
    }
)
# host name -> binary -> state of that service
_hosts = {
    "type": ["object", "null"],
    "additionalProperties": {"type": "object", "additionalProperties": _service},
}


def _zones(hosts: dict) -> dict:
    zone = closed(
        {
            "zoneName": types.string,
            "zoneState": closed({"available": {"type": "boolean"}}),
            "hosts": hosts,
        },
        mapping={"zoneName": "name"},
    )
    listed = listing("availabilityZoneInfo", zone, next_links=False)
    return listed | {"ext:mapping": {"availabilityZoneInfo": "availability_zones"}}


# The list has the key, always null; only the detailed list fills it.
index_output_2_1 = _zones(types.null)
detail_output_2_1 = _zones(_hosts)
