"""Users, projects, roles and revoked tokens of the embedded Identity service."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "identity_projects",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("tags", _JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_projects"),
        sa.UniqueConstraint("name", name="uq_identity_projects_name"),
    )
    op.create_table(
        "identity_users",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("email", sa.String(255)),
        sa.Column("description", sa.Text()),
        sa.Column("default_project_id", sa.String(64)),
        sa.Column("tokens_valid_after", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_identity_users"),
        sa.UniqueConstraint("name", name="uq_identity_users_name"),
    )
    op.create_table(
        "identity_roles",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("description", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_identity_roles"),
        sa.UniqueConstraint("name", name="uq_identity_roles_name"),
    )
    op.create_table(
        "identity_assignments",
        *(sa.Column(f"{kind}_id", sa.String(64), nullable=False) for kind in ("user", "project", "role")),
        *(
            sa.ForeignKeyConstraint(
                [f"{kind}_id"],
                [f"identity_{kind}s.id"],
                name=f"fk_identity_assignments_{kind}_id",
                ondelete="CASCADE",
            )
            for kind in ("user", "project", "role")
        ),
        sa.PrimaryKeyConstraint("user_id", "project_id", "role_id", name="pk_identity_assignments"),
    )
    op.create_index("ix_identity_assignments_project_id", "identity_assignments", ["project_id"])
    op.create_index("ix_identity_assignments_role_id", "identity_assignments", ["role_id"])
    op.create_table(
        "identity_revocations",
        sa.Column("audit_id", sa.String(32), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("audit_id", name="pk_identity_revocations"),
    )
    op.create_index("ix_identity_revocations_expires_at", "identity_revocations", ["expires_at"])
