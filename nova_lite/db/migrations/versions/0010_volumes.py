"""Volumes, and the disks of servers that are volumes."""

import sqlalchemy as sa
from alembic import op

from nova_lite.db.times import UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "volumes",
        sa.Column("id", serial, nullable=False, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("size_gb", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("description", sa.String(255)),
        sa.Column("image_id", sa.String(36)),
        sa.PrimaryKeyConstraint("id", name="pk_volumes"),
        sa.UniqueConstraint("uuid", name="uq_volumes_uuid"),
    )
    op.create_index("ix_volumes_image_id", "volumes", ["image_id"])
    op.add_column("block_device_mapping", sa.Column("volume_id", sa.String(36)))
    op.add_column("block_device_mapping", sa.Column("attachment_id", sa.String(36)))
    op.create_index("ix_block_device_mapping_volume_id", "block_device_mapping", ["volume_id"], unique=True)
