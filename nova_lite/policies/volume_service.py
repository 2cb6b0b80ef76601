"""The embedded Volume service, under Cinder's rule names."""

from __future__ import annotations

from oslo_policy import policy

from nova_lite.policies import base

_ROOT = "/volume/v3"
_VOLUME, _SNAPSHOT = f"{_ROOT}/volumes/{{volume_id}}", f"{_ROOT}/snapshots/{{snapshot_id}}"
_READER, _MEMBER, _ADMIN = base.PROJECT_READER_OR_ADMIN, base.PROJECT_MEMBER_OR_ADMIN, base.ADMIN
_ACTIONS = "volume_extension:volume_actions"
_RULES = {
    "volume:get_all": (_READER, "List volumes.", "GET", f"{_ROOT}/volumes"),
    "volume:create": (_MEMBER, "Make a volume.", "POST", f"{_ROOT}/volumes"),
    "volume:get": (_READER, "Show a volume.", "GET", _VOLUME),
    "volume:update": (_MEMBER, "Change a volume.", "PUT", _VOLUME),
    "volume:delete": (_MEMBER, "Delete a volume.", "DELETE", _VOLUME),
    "volume:force_delete": (_ADMIN, "Delete a volume whatever its status says.", "DELETE", _VOLUME),
    "volume:extend": (_MEMBER, "Make a volume larger.", "POST", f"{_VOLUME}/action"),
    "volume:get_volume_metadata": (_READER, "Show the metadata of a volume.", "GET", f"{_VOLUME}/metadata"),
    "volume:create_volume_metadata": (_MEMBER, "Add metadata to a volume.", "POST", f"{_VOLUME}/metadata"),
    "volume:update_volume_metadata": (_MEMBER, "Change the metadata of a volume.", "PUT", f"{_VOLUME}/metadata"),
    "volume:delete_volume_metadata": (
        _MEMBER, "Remove metadata from a volume.", "DELETE", f"{_VOLUME}/metadata/{{key}}"
    ),
    "volume:get_all_snapshots": (_READER, "List snapshots.", "GET", f"{_ROOT}/snapshots"),
    "volume:create_snapshot": (_MEMBER, "Make a snapshot.", "POST", f"{_ROOT}/snapshots"),
    "volume:get_snapshot": (_READER, "Show a snapshot.", "GET", _SNAPSHOT),
    "volume:update_snapshot": (_MEMBER, "Change a snapshot.", "PUT", _SNAPSHOT),
    "volume:delete_snapshot": (_MEMBER, "Delete a snapshot.", "DELETE", _SNAPSHOT),
    "volume:get_snapshot_metadata": (_READER, "Show the metadata of a snapshot.", "GET", f"{_SNAPSHOT}/metadata"),
    "volume:update_snapshot_metadata": (_MEMBER, "Change the metadata of a snapshot.", "PUT", f"{_SNAPSHOT}/metadata"),
    "volume:delete_snapshot_metadata": (
        _MEMBER, "Remove metadata from a snapshot.", "DELETE", f"{_SNAPSHOT}/metadata/{{key}}"
    ),
    f"{_ACTIONS}:set_bootable": (_MEMBER, "Say whether a volume boots.", "POST", f"{_VOLUME}/action"),
    f"{_ACTIONS}:update_readonly_flag": (_MEMBER, "Make a volume read-only.", "POST", f"{_VOLUME}/action"),
    "volume_extension:volume_admin_actions:reset_status": (
        _ADMIN, "Say what a volume's status is.", "POST", f"{_VOLUME}/action"
    ),
    "volume_extension:volume_admin_actions:force_delete": (
        _ADMIN, "Delete a volume whatever its status says.", "POST", f"{_VOLUME}/action"
    ),
    "volume_extension:snapshot_admin_actions:reset_status": (
        _ADMIN, "Say what a snapshot's status is.", "POST", f"{_SNAPSHOT}/action"
    ),
    "volume_extension:volume_image_metadata:set": (
        _MEMBER, "Add to what a volume knows of its image.", "POST", f"{_VOLUME}/action"
    ),
    "volume_extension:volume_image_metadata:show": (
        _READER, "Show what a volume knows of its image.", "POST", f"{_VOLUME}/action"
    ),
    "volume_extension:volume_image_metadata:remove": (
        _MEMBER, "Remove from what a volume knows of its image.", "POST", f"{_VOLUME}/action"
    ),
    "volume_extension:volume_tenant_attribute": (_READER, "Show the project of a volume.", "GET", _VOLUME),
    "volume_extension:volume_mig_status_attribute": (_ADMIN, "Show a volume's migration.", "GET", _VOLUME),
    "volume_extension:volume_host_attribute": (_ADMIN, "Show the host of a volume.", "GET", _VOLUME),
    "volume_extension:extended_snapshot_attributes": (_READER, "Show more of a snapshot.", "GET", _SNAPSHOT),
    "volume_extension:type_get_all": (_READER, "List types of volumes.", "GET", f"{_ROOT}/types"),
    "volume_extension:type_get": (_READER, "Show a type of volumes.", "GET", f"{_ROOT}/types/{{type_id}}"),
    "volume_extension:types_extra_specs:index": (
        _READER, "Show the extra specs of a type.", "GET", f"{_ROOT}/types/{{type_id}}/extra_specs"
    ),
    "volume:availability_zone_list": (_READER, "List availability zones.", "GET", f"{_ROOT}/os-availability-zone"),
    "limits_extension:used_limits": (_READER, "Show what the project may have.", "GET", f"{_ROOT}/limits"),
    "volume_extension:quotas:show": (_READER, "Show a quota.", "GET", f"{_ROOT}/os-quota-sets/{{project_id}}"),
    "volume_extension:services:index": (_ADMIN, "List services.", "GET", f"{_ROOT}/os-services"),
    "backup:get_all": (_READER, "List backups.", "GET", f"{_ROOT}/backups"),
    "volume:get_all_transfers": (_READER, "List transfers.", "GET", f"{_ROOT}/os-volume-transfer"),
    "message:get_all": (_READER, "List messages.", "GET", f"{_ROOT}/messages"),
    "volume_extension:qos_specs_manage:get_all": (_ADMIN, "List QoS specs.", "GET", f"{_ROOT}/qos-specs"),
}  # fmt: skip


def list_rules() -> list[policy.DocumentedRuleDefault]:
    return base.documented(_RULES)
