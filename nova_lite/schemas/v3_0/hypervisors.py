"""Formats of hypervisors in major 3."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, page, wrapped

_with_servers = {"with_servers": types.single(types.boolean)}
_list_query = _with_servers | {
    "limit": types.single(types.non_negative_integer),
    "marker": types.single(types.string),
    "hostname_pattern": types.single(types.fqdn),
}
index_query_3_0 = types.strict_query(_list_query, {"hostname_pattern": "pattern"})
detail_query_3_0 = index_query_3_0
show_query_3_0 = types.strict_query(_with_servers)

_servers = {"type": "array", "items": closed({"id": types.uuid, "name": types.string}, mapping={"id": "uuid"})}
_brief = {
    "id": types.uuid,
    "hostname": types.string,
    "state": {"type": "string", "enum": ["up", "down"]},
    "status": {"type": "string", "enum": ["enabled", "disabled"]},
    "servers": _servers,
}
_service = closed(
    {"id": types.uuid, "host": types.string, "disabled_reason": types.string_or_null},
    mapping={
        "id": "service_uuid",
        "host": "service_host",
        "disabled_reason": "service_disabled_reason",
    },
)
_full = _brief | {
    "type": types.string,
    "version": {"type": "integer"},
    "host_ip": types.string_or_null,
    "uptime": types.string_or_null,
    "service": _service,
}
_names = {
    "./id": "uuid",
    "hostname": "hypervisor_hostname",
    "type": "hypervisor_type",
    "version": "hypervisor_version",
}
_hypervisor = closed(_full, optional=["servers"], mapping=_names)

index_output_3_0 = page("hypervisors", closed(_brief, optional=["servers"], mapping=_names))
detail_output_3_0 = page("hypervisors", _hypervisor)
show_output_3_0 = wrapped("hypervisor", _hypervisor)
