"""Servers, what is done to them and what happens to them; their groups, migrations and consoles."""

from __future__ import annotations

import sqlalchemy as sa

from nova_lite.db.tables.base import Json, Serial, metadata, serial_id
from nova_lite.db.times import UtcDateTime

instances = sa.Table(
    "instances",
    metadata,
    serial_id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("display_name", sa.String(255), nullable=False),
    sa.Column("hostname", sa.String(255), nullable=False),
    sa.Column("flavor", Json, nullable=False),
    sa.Column("image_ref", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("vm_state", sa.String(32), nullable=False),
    sa.Column("task_state", sa.String(64)),
    sa.Column("power_state", sa.Integer, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("launched_at", UtcDateTime),
    sa.Column("terminated_at", UtcDateTime),
    sa.Column("deleted", sa.Boolean, nullable=False),
    sa.Column("display_description", sa.Text),
    sa.Column("metadata", Json, nullable=False),
    sa.Column("tags", Json, nullable=False),
    sa.Column("image_properties", Json, nullable=False),
    sa.Column("key_name", sa.String(255)),
    sa.Column("availability_zone", sa.String(255), nullable=False),
    sa.Column("pinned_availability_zone", sa.String(255)),
    sa.Column("config_drive", sa.Boolean, nullable=False),
    sa.Column("user_data", sa.Text),
    sa.Column("access_ip_v4", sa.String(64)),
    sa.Column("access_ip_v6", sa.String(64)),
    sa.Column("disk_config", sa.String(16), nullable=False),
    sa.Column("locked", sa.Boolean, nullable=False),
    sa.Column("locked_by", sa.String(16)),
    sa.Column("locked_reason", sa.Text),
    sa.Column("reservation_id", sa.String(64), nullable=False),
    sa.Column("launch_index", sa.Integer, nullable=False),
    sa.Column("progress", sa.Integer, nullable=False),
    sa.Column("root_device_name", sa.String(64)),
    sa.Column("kernel_id", sa.String(64), nullable=False),
    sa.Column("ramdisk_id", sa.String(64), nullable=False),
    sa.Column("scheduler_hints", Json, nullable=False),
    sa.Column("trusted_image_certificates", Json),
    sa.Column("fault_code", sa.Integer),
    sa.Column("fault_message", sa.Text),
    sa.Column("fault_created", UtcDateTime),
    sa.Column("fault_details", sa.Text),
    # Repeated from the flavor, for sums (quota, capacity) and filters.
    sa.Column("flavor_id", sa.String(255), nullable=False),
    sa.Column("vcpus", sa.Integer, nullable=False),
    sa.Column("memory_mb", sa.Integer, nullable=False),
    sa.Column("root_gb", sa.Integer, nullable=False),
    sa.Column("keypair", Json),
    sa.Column("injected_files", Json, nullable=False, server_default="[]"),
    sa.Column("system_metadata", Json, nullable=False, server_default="{}"),
    sa.Index(None, "project_id", "deleted", "created_at"),
    sa.Index(None, "deleted", "created_at"),
    sa.Index(None, "host", "deleted"),
    sa.Index(None, "updated_at"),
)

operations = sa.Table(
    "operations",
    metadata,
    serial_id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("request_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255)),
    sa.Column("project_id", sa.String(255)),
    sa.Column("start_time", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("message", sa.Text),
    sa.Column("args", Json, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Index(None, "instance_uuid", "id"),
    # What is to be done stays quick to find, however long the history grows: partial, WHERE OUTSTANDING. The migration
    # alone says so to the database; said here, it would make every process load the dialects of all databases.
    sa.Index("ix_operations_outstanding", "host", "id"),
)

operation_events = sa.Table(
    "operation_events",
    metadata,
    serial_id(),
    sa.Column("operation_id", Serial, sa.ForeignKey("operations.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("host", sa.String(255)),
    sa.Column("start_time", UtcDateTime, nullable=False),
    sa.Column("finish_time", UtcDateTime),
    sa.Column("result", sa.String(16)),
    sa.Column("details", sa.Text),
    sa.Column("traceback", sa.Text),
)

changes = sa.Table(
    "changes",
    metadata,
    serial_id(),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("type", sa.String(32), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("instance_uuid", sa.String(36), nullable=False),
    sa.Column("name", sa.String(255)),
    sa.Column("vm_state", sa.String(32)),
    sa.Column("task_state", sa.String(64)),
    sa.Column("power_state", sa.Integer),
    sa.Column("operation_uuid", sa.String(36)),
    sa.Column("action", sa.String(64)),
    sa.Column("state", sa.String(16)),
    sa.Column("message", sa.Text),
    sa.Column("request_id", sa.String(255)),
    sqlite_autoincrement=True,  # a number is never given twice: clients go on from the last one that they saw
)

migrations = sa.Table(
    "migrations",
    metadata,
    serial_id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), nullable=False, index=True),
    sa.Column("migration_type", sa.String(16), nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("source_compute", sa.String(255), nullable=False),
    sa.Column("dest_compute", sa.String(255)),
    sa.Column("dest_host", sa.String(255)),
    sa.Column("old_flavor_id", sa.Integer),
    sa.Column("new_flavor_id", sa.Integer),
    sa.Column("user_id", sa.String(255)),
    sa.Column("project_id", sa.String(255)),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Index(None, "created_at", "id"),
)

console_auth_tokens = sa.Table(
    "console_auth_tokens",
    metadata,
    sa.Column("token_hash", sa.String(64), primary_key=True),
    sa.Column(
        "instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid", ondelete="CASCADE"), nullable=False, index=True
    ),
    sa.Column("console_type", sa.String(32), nullable=False),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)

server_groups = sa.Table(
    "server_groups",
    metadata,
    serial_id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False, index=True),
    sa.Column("user_id", sa.String(255), nullable=False),
    sa.Column("policy", sa.String(32), nullable=False),
    sa.Column("rules", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
)

server_group_members = sa.Table(
    "server_group_members",
    metadata,
    # A server is in one group at most.
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), primary_key=True),
    sa.Column(
        "group_id", Serial, sa.ForeignKey("server_groups.id", ondelete="CASCADE"), nullable=False, index=True
    ),
)
