"""Formats of hypervisors in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, without, wrapped

# ---- queries --------------------------------------------------------------------------------------------

_with_servers = {"with_servers": types.single(types.boolean)}
_search = {
    "limit": types.single(types.non_negative_integer),
    "marker": types.single(types.string),
    "hypervisor_hostname_pattern": types.single(types.fqdn),
} | _with_servers
_search_names = {"hypervisor_hostname_pattern": "pattern"}

index_query_2_1 = types.any_query_at_all
index_query_2_33 = types.lax_query(types.pagination)
index_query_2_53 = types.strict_query(_search, _search_names)

detail_query_2_1 = index_query_2_1
detail_query_2_33 = index_query_2_33
detail_query_2_53 = index_query_2_53

show_query_2_1 = types.any_query_at_all
show_query_2_53 = types.strict_query(_with_servers)

uptime_query_2_1 = types.any_query_at_all
statistics_query_2_1 = types.any_query_at_all
search_query_2_1 = types.any_query_at_all
servers_query_2_1 = types.any_query_at_all

# ---- answers --------------------------------------------------------------------------------------------

_integer = {"type": "integer"}
_integer_or_null = {"type": ["integer", "null"]}
_servers = {"type": "array", "items": closed({"name": types.string, "uuid": types.uuid})}

_brief_2_1: dict[str, types.Schema] = {
    "id": _integer,
    "hypervisor_hostname": types.string,
    "state": {"type": "string", "enum": ["up", "down"]},
    "status": {"type": "string", "enum": ["enabled", "disabled"]},
}
_brief_2_53 = _brief_2_1 | {"id": types.uuid, "servers": _servers}

_capacity: dict[str, types.Schema] = {
    "vcpus": _integer,
    "vcpus_used": _integer,
    "memory_mb": _integer,
    "memory_mb_used": _integer,
    "free_ram_mb": _integer_or_null,
    "local_gb": _integer,
    "local_gb_used": _integer,
    "free_disk_gb": _integer_or_null,
    "disk_available_least": _integer_or_null,
    "current_workload": _integer_or_null,
    "running_vms": _integer_or_null,
}


def _service(identifier: dict, flat_identifier: str) -> dict:
    return closed(
        {"id": identifier, "host": types.string, "disabled_reason": types.string_or_null},
        mapping={
            "id": flat_identifier,
            "host": "service_host",
            "disabled_reason": "service_disabled_reason",
        },
    )


_kind: dict[str, types.Schema] = {
    "hypervisor_type": types.string,
    "hypervisor_version": _integer,
    "host_ip": types.string_or_null,
}
_full_2_1 = _brief_2_1 | _kind | _capacity | {"service": _service(_integer, "service_id"), "cpu_info": types.string}
_full_2_28 = _full_2_1 | {"cpu_info": {"type": "object", "additionalProperties": {}}}
_full_2_53 = _full_2_28 | {
    "id": types.uuid,
    "service": _service(types.uuid, "service_uuid"),
    "servers": _servers,
}
_full_2_88 = without(_full_2_53, "cpu_info", *_capacity) | {"uptime": types.string_or_null}

_names_2_1 = {"cpu_info": "cpu_info_text"}
_names_2_53 = {"./id": "uuid", "servers": "servers_if_any"}  # an empty list is left out
_names_2_75 = {"./id": "uuid"}

index_output_2_1 = listing("hypervisors", closed(_brief_2_1), next_links=False)
index_output_2_33 = listing("hypervisors", closed(_brief_2_1))
index_output_2_53 = listing("hypervisors", closed(_brief_2_53, optional=["servers"], mapping=_names_2_53))
index_output_2_75 = listing("hypervisors", closed(_brief_2_53, optional=["servers"], mapping=_names_2_75))

_hypervisor_2_1 = closed(_full_2_1, mapping=_names_2_1)
_hypervisor_2_28 = closed(_full_2_28)
_hypervisor_2_53 = closed(_full_2_53, optional=["servers"], mapping=_names_2_53)
_hypervisor_2_75 = closed(_full_2_53, optional=["servers"], mapping=_names_2_75)
_hypervisor_2_88 = closed(_full_2_88, optional=["servers"], mapping=_names_2_75)

detail_output_2_1 = listing("hypervisors", _hypervisor_2_1, next_links=False)
detail_output_2_28 = listing("hypervisors", _hypervisor_2_28, next_links=False)
detail_output_2_33 = listing("hypervisors", _hypervisor_2_28)
detail_output_2_53 = listing("hypervisors", _hypervisor_2_53)
detail_output_2_75 = listing("hypervisors", _hypervisor_2_75)
detail_output_2_88 = listing("hypervisors", _hypervisor_2_88)

show_output_2_1 = wrapped("hypervisor", _hypervisor_2_1)
show_output_2_28 = wrapped("hypervisor", _hypervisor_2_28)
show_output_2_53 = wrapped("hypervisor", _hypervisor_2_53)
show_output_2_75 = wrapped("hypervisor", _hypervisor_2_75)
show_output_2_88 = wrapped("hypervisor", _hypervisor_2_88)

_uptime = {"uptime": types.string_or_null}
uptime_output_2_1 = wrapped("hypervisor", closed(_brief_2_1 | _uptime))
uptime_output_2_53 = wrapped("hypervisor", closed(_brief_2_1 | {"id": types.uuid} | _uptime, mapping={"id": "uuid"}))

search_output_2_1 = listing("hypervisors", closed(_brief_2_1), next_links=False)
servers_output_2_1 = listing(
    "hypervisors",
    closed(_brief_2_1 | {"servers": _servers}, optional=["servers"], mapping={"servers": "servers_if_any"}),
    next_links=False,
)

statistics_output_2_1 = wrapped("hypervisor_statistics", closed({"count": _integer} | _capacity))
