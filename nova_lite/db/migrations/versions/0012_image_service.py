"""What the Image service writes of an image: its data as it was given, and what it is beside that."""

import sqlalchemy as sa
from alembic import op

from nova_lite.db.tables import Json

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    for column in (
        sa.Column("data", sa.String(length=255)),
        sa.Column("checksum", sa.String(length=32)),
        sa.Column("container_format", sa.String(length=16)),
        sa.Column("protected", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("os_hidden", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("tags", Json, nullable=False, server_default="[]"),
    ):
        op.add_column("images", column)
