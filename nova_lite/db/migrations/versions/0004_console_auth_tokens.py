"""Tokens that open a server's console for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "console_auth_tokens",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("console_type", sa.String(32), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["instance_uuid"], ["instances.uuid"], name="fk_console_auth_tokens_instance_uuid", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("token_hash", name="pk_console_auth_tokens"),
    )
    op.create_index("ix_console_auth_tokens_expires_at", "console_auth_tokens", ["expires_at"])
    op.create_index("ix_console_auth_tokens_instance_uuid", "console_auth_tokens", ["instance_uuid"])
