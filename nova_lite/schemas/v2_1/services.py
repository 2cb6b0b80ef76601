"""Formats of compute services in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, listing, wrapped

_filters = {"host": types.any_query, "binary": types.any_query}
index_query_2_1 = types.lax_query(_filters)
index_query_2_75 = types.strict_query(_filters)

_reason = {"type": "string", "minLength": 1, "maxLength": 255}
# Until 2.52 the path named the action (enable, disable, disable-log-reason, force-down), the body the host.
_update_2_1 = {
    "host": types.fqdn,
    "binary": {"type": "string", "minLength": 1, "maxLength": 255},
    "disabled_reason": _reason,
}
_update_2_11 = _update_2_1 | {"forced_down": types.boolean}
_update_2_53: dict[str, types.Schema] = {
    "status": {"type": "string", "enum": ["enabled", "disabled"]},
    "disabled_reason": _reason,
    "forced_down": types.boolean,
}

update_input_2_1 = closed(_update_2_1, optional=["disabled_reason"])
update_input_2_11 = closed(_update_2_11, optional=["disabled_reason", "forced_down"])
update_input_2_53 = closed(_update_2_53, optional=_update_2_53)

_status = {"type": "string", "enum": ["enabled", "disabled"]}
_service_2_1 = {
    "id": {"type": "integer"},
    "binary": types.string,
    "host": types.string,
    "zone": types.string,
    "status": _status,
    "state": {"type": "string", "enum": ["up", "down"]},
    "updated_at": types.naive_timestamp_or_null,
    "disabled_reason": types.string_or_null,
}
_service_2_11 = _service_2_1 | {"forced_down": {"type": "boolean"}}
_service_2_53 = _service_2_11 | {"id": types.uuid}
# UNKNOWN stands for a service that cannot be reached; the other keys are then left out.
_service_2_69 = _service_2_53 | {"status": {"type": "string", "enum": ["enabled", "disabled", "UNKNOWN"]}}
_optional_2_69 = [name for name in _service_2_69 if name not in ("binary", "host", "status")]

# Without a zone, as Nova writes it.
_names_2_1 = {"updated_at": "updated_at_naive"}
_names_2_53 = _names_2_1 | {"id": "uuid"}

index_output_2_1 = listing("services", closed(_service_2_1, mapping=_names_2_1), next_links=False)
index_output_2_11 = listing("services", closed(_service_2_11, mapping=_names_2_1), next_links=False)
index_output_2_53 = listing("services", closed(_service_2_53, mapping=_names_2_53), next_links=False)
index_output_2_69 = listing(
    "services", closed(_service_2_69, optional=_optional_2_69, mapping=_names_2_53), next_links=False
)

# The answer repeats what the action changed: status with the reason given, or forced_down.
_changed = {"host": types.string, "binary": types.string, "status": _status, "disabled_reason": types.string}
update_output_2_1 = wrapped(
    "service",
    closed(_changed, optional=["status", "disabled_reason"], mapping={"disabled_reason": "disabled_reason_given"}),
)
update_output_2_11 = wrapped(
    "service",
    closed(
        _changed | {"forced_down": {"type": "boolean"}},
        optional=["status", "disabled_reason", "forced_down"],
        mapping={"disabled_reason": "disabled_reason_given"},
    ),
)
update_output_2_53 = wrapped("service", closed(_service_2_53, mapping=_names_2_53))
update_output_2_69 = wrapped("service", closed(_service_2_69, optional=_optional_2_69, mapping=_names_2_53))
