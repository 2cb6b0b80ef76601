"""What the Volume service writes of a volume, and snapshots of volumes."""

import sqlalchemy as sa
from alembic import op

from nova_lite.db.tables import Json
from nova_lite.db.times import UtcDateTime

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    for column in (
        sa.Column("user_id", sa.String(255)),
        sa.Column("metadata", Json, nullable=False, server_default="{}"),
        sa.Column("image_metadata", Json, nullable=False, server_default="{}"),
        sa.Column("snapshot_id", sa.String(36)),
        sa.Column("source_volid", sa.String(36)),
        sa.Column("said_bootable", sa.Boolean()),
    ):
        op.add_column("volumes", column)
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "volume_snapshots",
        sa.Column("id", serial, nullable=False, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("volume_id", sa.String(36), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255)),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.String(255)),
        sa.Column("size_gb", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("image_id", sa.String(36)),
        sa.Column("image_metadata", Json, nullable=False, server_default="{}"),
        sa.Column("metadata", Json, nullable=False, server_default="{}"),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_volume_snapshots"),
        sa.UniqueConstraint("uuid", name="uq_volume_snapshots_uuid"),
    )
    op.create_index("ix_volume_snapshots_volume_id", "volume_snapshots", ["volume_id"])
    op.create_index("ix_volume_snapshots_image_id", "volume_snapshots", ["image_id"])
