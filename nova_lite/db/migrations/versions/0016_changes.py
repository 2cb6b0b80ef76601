"""What changed about servers and their operations, in order: what the event stream tells."""

import sqlalchemy as sa
from alembic import op

from nova_lite.db.times import UtcDateTime

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "changes",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("type", sa.String(32), nullable=False),
        sa.Column("project_id", sa.String(255), nullable=False),
        sa.Column("instance_uuid", sa.String(36), nullable=False),
        sa.Column("name", sa.String(255)),
        sa.Column("vm_state", sa.String(32)),
        sa.Column("task_state", sa.String(64)),
        sa.Column("power_state", sa.Integer()),
        sa.Column("operation_uuid", sa.String(36)),
        sa.Column("action", sa.String(64)),
        sa.Column("state", sa.String(16)),
        sa.Column("message", sa.Text()),
        sa.Column("request_id", sa.String(255)),
        sa.PrimaryKeyConstraint("id", name="pk_changes"),
        sqlite_autoincrement=True,
    )
