"""What is free on a host's disk in truth."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.add_column("compute_nodes", sa.Column("disk_available_least", sa.Integer()))
