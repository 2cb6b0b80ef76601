"""The disks of servers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "block_device_mapping",
        sa.Column("id", serial, nullable=False, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("source_type", sa.String(16), nullable=False),
        sa.Column("destination_type", sa.String(16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("boot_index", sa.Integer(), nullable=False),
        sa.Column("device_name", sa.String(64), nullable=False),
        sa.Column("guest_format", sa.String(255)),
        sa.Column("image_id", sa.String(36)),
        sa.Column("delete_on_termination", sa.Boolean(), nullable=False),
        sa.Column("tag", sa.String(255)),
        sa.ForeignKeyConstraint(["instance_uuid"], ["instances.uuid"], name="fk_block_device_mapping_instance_uuid"),
        sa.PrimaryKeyConstraint("id", name="pk_block_device_mapping"),
        sa.UniqueConstraint("uuid", name="uq_block_device_mapping_uuid"),
    )
    op.create_index("ix_block_device_mapping_instance_uuid", "block_device_mapping", ["instance_uuid"])
    op.create_index("ix_block_device_mapping_image_id", "block_device_mapping", ["image_id"])
