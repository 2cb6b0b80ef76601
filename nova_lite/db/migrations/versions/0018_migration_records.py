"""Records of resizes and migrations."""

import sqlalchemy as sa
from alembic import op

from nova_lite.db.times import UtcDateTime

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    serial = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "migrations",
        sa.Column("id", serial, nullable=False, autoincrement=True),
        sa.Column("uuid", sa.String(36), nullable=False),
        sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("migration_type", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("source_compute", sa.String(255), nullable=False),
        sa.Column("dest_compute", sa.String(255)),
        sa.Column("dest_host", sa.String(255)),
        sa.Column("old_flavor_id", sa.Integer()),
        sa.Column("new_flavor_id", sa.Integer()),
        sa.Column("user_id", sa.String(255)),
        sa.Column("project_id", sa.String(255)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_migrations"),
        sa.UniqueConstraint("uuid", name="uq_migrations_uuid"),
        sa.ForeignKeyConstraint(["instance_uuid"], ["instances.uuid"], name="fk_migrations_instance_uuid"),
    )
    op.create_index("ix_migrations_instance_uuid", "migrations", ["instance_uuid"])
    op.create_index("ix_migrations_created_at_id", "migrations", ["created_at", "id"])
