"""Application credentials of the embedded Identity service's users."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0020"
down_revision = "0019"

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
_TABLE = "identity_application_credentials"


def upgrade() -> None:
    op.create_table(
        _TABLE,
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("project_id", sa.String(64), nullable=False),
        sa.Column("secret_hash", sa.String(255), nullable=False),
        sa.Column("role_ids", _JSON, nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("expires_at", sa.DateTime()),
        sa.Column("unrestricted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=f"pk_{_TABLE}"),
        sa.UniqueConstraint("user_id", "name", name=f"uq_{_TABLE}_user_id_name"),
        *(
            sa.ForeignKeyConstraint(
                [f"{kind}_id"], [f"identity_{kind}s.id"], name=f"fk_{_TABLE}_{kind}_id", ondelete="CASCADE"
            )
            for kind in ("user", "project")
        ),
    )
    op.create_index(f"ix_{_TABLE}_project_id", _TABLE, ["project_id"])
