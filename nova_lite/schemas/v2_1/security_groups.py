"""Formats of the security groups of a server in 2.x."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as pt
from nova_lite.schemas.shapes import closed, wrapped

_texts = {"type": "object", "additionalProperties": pt.string}
_port = {"type": ["integer", "null"], "minimum": -1}
_rule = closed(
    {
        "id": pt.uuid,
        "parent_group_id": pt.uuid,
        "ip_protocol": pt.string_or_null,
        "from_port": _port,
        "to_port": _port,
        "ip_range": _texts,
        "group": _texts,
    },
)
_group = closed(
    {
        "id": pt.uuid,
        "name": pt.string,
        "description": pt.string_or_null,
        "tenant_id": pt.string,
        "rules": {"type": "array", "items": _rule},
    },
    mapping={"tenant_id": "project_id", "rules": "rules_into"},
)
_named = closed({"name": {"type": "string", "minLength": 1}})

index_query_2_1 = pt.any_query_at_all
index_query_2_102 = pt.no_query
index_output_2_1 = closed({"security_groups": {"type": "array", "items": _group}})

add_input_2_1 = wrapped("addSecurityGroup", _named)
remove_input_2_1 = wrapped("removeSecurityGroup", _named)

# -- of a project, up to 2.35; nobody ever checked ports, protocols or what else a body holds ------------------

_text = {"type": "string", "maxLength": 255}
_open_group = closed({"name": _text, "description": _text}) | {"additionalProperties": True}
_open_rule = closed(
    {
        "group_id": pt.uuid | {"type": ["string", "null"]},
        "parent_group_id": pt.uuid,
        "from_port": {},
        "to_port": {},
        "ip_protocol": {},
        "cidr": {},
    },
    optional=["group_id", "from_port", "to_port", "ip_protocol", "cidr"],
) | {"additionalProperties": True}

list_groups_query_2_1 = pt.lax_query(
    {
        "limit": pt.last(pt.non_negative_integer),
        "offset": pt.last(pt.non_negative_integer),
        "all_tenants": pt.last(pt.string),
    }
)
list_groups_output_2_1 = index_output_2_1
show_group_query_2_1 = pt.any_query_at_all
show_group_output_2_1 = create_group_output_2_1 = update_group_output_2_1 = wrapped("security_group", _group)
create_group_input_2_1 = wrapped("security_group", _open_group)
update_group_input_2_1 = create_group_input_2_1
create_rule_input_2_1 = wrapped("security_group_rule", _open_rule)
create_rule_output_2_1 = wrapped("security_group_rule", _rule)
