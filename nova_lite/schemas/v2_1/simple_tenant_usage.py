"""Formats of the usage of projects in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed

_period = {"start": types.any_query, "end": types.any_query}
_listed = _period | {"detailed": types.any_query}

index_query_2_1 = types.lax_query(_listed)
index_query_2_40 = types.lax_query(_listed | types.pagination)
index_query_2_75 = types.strict_query(_listed | types.pagination)
show_query_2_1 = types.lax_query(_period)
show_query_2_40 = types.lax_query(_period | types.pagination)
show_query_2_75 = types.strict_query(_period | types.pagination)

_integer = {"type": "integer", "minimum": 0}
_number = {"type": "number", "minimum": 0}
# Times are without a zone, as Nova writes them.
_server = closed(
    {
        "instance_id": types.uuid,
        "name": types.string,
        "tenant_id": types.string,
        "flavor": types.string,
        "hours": _number,
        "vcpus": _integer,
        "memory_mb": _integer,
        "local_gb": _integer,
        "started_at": types.naive_timestamp,
        "ended_at": types.naive_timestamp_or_null,
        "state": types.string,
        "uptime": _integer,
    },
    mapping={"instance_id": "uuid", "tenant_id": "project_id"},
)
_usage = {
    "tenant_id": types.string,
    "start": types.naive_timestamp,
    "stop": types.naive_timestamp,
    "total_hours": _number,
    "total_vcpus_usage": _number,
    "total_memory_mb_usage": _number,
    "total_local_gb_usage": _number,
    "server_usages": {"type": "array", "items": _server},
}
_names = {
    "./tenant_id": "project_id",
    "total_hours": "hours",
    "total_vcpus_usage": "vcpu_hours",
    "total_memory_mb_usage": "memory_mb_hours",
    "total_local_gb_usage": "local_gb_hours",
    "server_usages": "servers",
}
_usages = {"type": "array", "items": closed(_usage, optional=["server_usages"], mapping=_names)}
_listing_names = {"tenant_usages": "usages", "./tenant_usages_links": "usages_links"}
index_output_2_1 = closed({"tenant_usages": _usages}, mapping=_listing_names)
index_output_2_40 = closed(
    {"tenant_usages": _usages, "tenant_usages_links": types.links},
    optional=["tenant_usages_links"],
    mapping=_listing_names,
)

# A project that used nothing is an empty object.
_of_project = closed(_usage, optional=_usage, mapping=_names)
show_output_2_1 = closed({"tenant_usage": _of_project})
show_output_2_40 = closed(
    {"tenant_usage": _of_project, "tenant_usage_links": types.links},
    optional=["tenant_usage_links"],
    mapping={"./tenant_usage_links": "usages_links"},
)
