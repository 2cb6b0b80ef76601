"""Images, volumes and the disks of servers."""

from __future__ import annotations

import sqlalchemy as sa

from nova_lite.db.tables.base import Json, metadata, serial_id
from nova_lite.db.times import UtcDateTime

images = sa.Table(
    "images",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("kernel", sa.String(255), nullable=False),
    sa.Column("kernel_format", sa.String(16), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("visibility", sa.String(16), nullable=False),
    sa.Column("project_id", sa.String(255)),
    sa.Column("min_disk", sa.Integer, nullable=False),
    sa.Column("min_ram", sa.Integer, nullable=False),
    sa.Column("cmdline", sa.Text, nullable=False),
    sa.Column("properties", Json, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("initramfs", sa.String(255)),
    sa.Column("disk", sa.String(255)),
    sa.Column("disk_format", sa.String(16)),
    sa.Column("virtual_size", sa.BigInteger),
    sa.Column("os_hash_algo", sa.String(16)),
    sa.Column("os_hash_value", sa.String(128)),
    sa.Column("data", sa.String(255)),
    sa.Column("checksum", sa.String(32)),
    sa.Column("container_format", sa.String(16)),
    sa.Column("protected", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("os_hidden", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("tags", Json, nullable=False, server_default="[]"),
)

block_device_mapping = sa.Table(
    "block_device_mapping",
    metadata,
    serial_id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("instance_uuid", sa.String(36), sa.ForeignKey("instances.uuid"), nullable=False, index=True),
    sa.Column("source_type", sa.String(16), nullable=False),
    sa.Column("destination_type", sa.String(16), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("boot_index", sa.Integer, nullable=False),
    sa.Column("device_name", sa.String(64), nullable=False),
    sa.Column("guest_format", sa.String(255)),
    sa.Column("image_id", sa.String(36), index=True),
    sa.Column("delete_on_termination", sa.Boolean, nullable=False),
    sa.Column("tag", sa.String(255)),
    sa.Column("volume_id", sa.String(36), index=True, unique=True),
    sa.Column("attachment_id", sa.String(36)),
)

volumes = sa.Table(
    "volumes",
    metadata,
    serial_id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("size_gb", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("image_id", sa.String(36), index=True),
    sa.Column("user_id", sa.String(255)),
    sa.Column("metadata", Json, nullable=False, server_default="{}"),
    sa.Column("image_metadata", Json, nullable=False, server_default="{}"),
    sa.Column("snapshot_id", sa.String(36)),
    sa.Column("source_volid", sa.String(36)),
    sa.Column("said_bootable", sa.Boolean),
)

volume_snapshots = sa.Table(
    "volume_snapshots",
    metadata,
    serial_id(),
    sa.Column("uuid", sa.String(36), nullable=False, unique=True),
    sa.Column("volume_id", sa.String(36), nullable=False, index=True),
    sa.Column("host", sa.String(255), nullable=False),
    sa.Column("project_id", sa.String(255), nullable=False),
    sa.Column("user_id", sa.String(255)),
    sa.Column("name", sa.String(255), nullable=False),
    sa.Column("description", sa.String(255)),
    sa.Column("size_gb", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False),
    sa.Column("image_id", sa.String(36), index=True),
    sa.Column("image_metadata", Json, nullable=False, server_default="{}"),
    sa.Column("metadata", Json, nullable=False, server_default="{}"),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
)
