"""Server groups and their members."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from nova_lite.db.times import UtcDateTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.create_table(
        "server_groups",
        sa.Column("id", serial, nullable=False, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("policy", sa.String(32), nullable=False),
        sa.Column("rules", json, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_server_groups"),
        sa.UniqueConstraint("uuid", name="uq_server_groups_uuid"),
    )
    op.create_index("ix_server_groups_project_id", "server_groups", ["project_id"])
    op.create_table(
        "server_group_members",
        sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("group_id", serial, nullable=False),
        sa.PrimaryKeyConstraint("instance_uuid", name="pk_server_group_members"),
        sa.ForeignKeyConstraint(
            ["instance_uuid"], ["instances.uuid"], name="fk_server_group_members_instance_uuid"
        ),
        sa.ForeignKeyConstraint(
            ["group_id"],
            ["server_groups.id"],
            name="fk_server_group_members_group_id",
            ondelete="CASCADE",
        ),
    )
    op.create_index("ix_server_group_members_group_id", "server_group_members", ["group_id"])
