"""What the service notes about a server for itself: when it was shelved and into which image, its guest's password."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    json = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
    op.add_column("instances", sa.Column("system_metadata", json, nullable=False, server_default="{}"))
