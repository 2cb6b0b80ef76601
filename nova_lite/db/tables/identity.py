"""Users, projects, roles, application credentials and tokens that were ended, of the embedded Identity service."""

from __future__ import annotations

import sqlalchemy as sa

from nova_lite.db.tables.base import Json, metadata
from nova_lite.db.times import UtcDateTime

identity_projects = sa.Table(
    "identity_projects",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("tags", Json, nullable=False),
)

identity_users = sa.Table(
    "identity_users",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("password_hash", sa.String(255)),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("email", sa.String(255)),
    sa.Column("description", sa.Text),
    sa.Column("default_project_id", sa.String(64)),
    # Tokens that were issued before do not count any more.
    sa.Column("tokens_valid_after", UtcDateTime, nullable=False),
)

identity_roles = sa.Table(
    "identity_roles",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False, unique=True),
    sa.Column("description", sa.Text),
)

identity_assignments = sa.Table(
    "identity_assignments",
    metadata,
    *(
        sa.Column(
            f"{kind}_id",
            sa.String(64),
            sa.ForeignKey(f"identity_{kind}s.id", ondelete="CASCADE"),
            primary_key=True,
            index=kind != "user",  # the key begins with the user
        )
        for kind in ("user", "project", "role")
    ),
)

identity_application_credentials = sa.Table(
    "identity_application_credentials",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.String(255), nullable=False),
    *(
        sa.Column(
            f"{kind}_id",
            sa.String(64),
            sa.ForeignKey(f"identity_{kind}s.id", ondelete="CASCADE"),
            nullable=False,
            index=kind != "user",  # the unique constraint begins with the user
        )
        for kind in ("user", "project")
    ),
    sa.Column("secret_hash", sa.String(255), nullable=False),
    sa.Column("role_ids", Json, nullable=False),
    sa.Column("description", sa.Text),
    sa.Column("expires_at", UtcDateTime),
    sa.Column("unrestricted", sa.Boolean, nullable=False),
    sa.UniqueConstraint("user_id", "name"),
)

identity_revocations = sa.Table(
    "identity_revocations",
    metadata,
    sa.Column("audit_id", sa.String(32), primary_key=True),
    sa.Column("expires_at", UtcDateTime, nullable=False, index=True),
)
