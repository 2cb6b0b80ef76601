"""Formats of limits in major 2."""

from __future__ import annotations

from nova_lite.schemas import parameter_types as types
from nova_lite.schemas.shapes import closed, without, wrapped

_query = {
    "tenant_id": types.any_query | {"ext:policy": "os_compute_api:limits:other_project"},
}
_query_names = {"tenant_id": "project_id"}

index_query_2_1 = types.lax_query(_query, _query_names)
index_query_2_75 = types.strict_query(_query, _query_names)

_limit = {"type": "integer", "minimum": -1}
_names = {
    "maxImageMeta": "metadata_items_per_image",
    "maxPersonality": "injected_files",
    "maxPersonalitySize": "injected_file_content_bytes",
    "maxSecurityGroups": "security_groups",
    "maxSecurityGroupRules": "security_group_rules",
    "maxServerMeta": "metadata_items",
    "maxServerGroups": "server_groups",
    "maxServerGroupMembers": "server_group_members",
    "maxTotalCores": "cores",
    "maxTotalFloatingIps": "floating_ips",
    "maxTotalInstances": "instances",
    "maxTotalKeypairs": "key_pairs",
    "maxTotalRAMSize": "ram",
    "totalCoresUsed": "cores_used",
    "totalFloatingIpsUsed": "floating_ips_used",
    "totalInstancesUsed": "instances_used",
    "totalRAMUsed": "ram_used",
    "totalSecurityGroupsUsed": "security_groups_used",
    "totalServerGroupsUsed": "server_groups_used",
}
_absolute_2_1 = dict.fromkeys(_names, _limit)
_absolute_2_36 = without(
    _absolute_2_1,
    "maxSecurityGroups",
    "maxSecurityGroupRules",
    "maxTotalFloatingIps",
    "totalFloatingIpsUsed",
    "totalSecurityGroupsUsed",
)
_absolute_2_39 = without(_absolute_2_36, "maxImageMeta")
_absolute_2_57 = without(_absolute_2_39, "maxPersonality", "maxPersonalitySize")


def _limits(absolute: dict) -> dict:
    # There are no rate limits; the empty list is what clients look for.
    rate = {"type": "array", "items": types.string, "maxItems": 0}
    return wrapped("limits", closed({"rate": rate, "absolute": closed(absolute, mapping=_names)}))


index_output_2_1 = _limits(_absolute_2_1)
index_output_2_36 = _limits(_absolute_2_36)
index_output_2_39 = _limits(_absolute_2_39)
index_output_2_57 = _limits(_absolute_2_57)
