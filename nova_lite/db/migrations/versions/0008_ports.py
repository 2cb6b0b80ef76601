"""Ports that are kept without a server, and cards that a running VM does not have yet."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for name, default in (("preserve", sa.false()), ("plugged", sa.true())):
        op.add_column("ports", sa.Column(name, sa.Boolean(), nullable=False, server_default=default))
