"""An image may have a disk."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for name, type_ in (
        ("disk", sa.String(length=255)),
        ("disk_format", sa.String(length=16)),
        ("virtual_size", sa.BigInteger()),
        ("os_hash_algo", sa.String(length=16)),
        ("os_hash_value", sa.String(length=128)),
    ):
        op.add_column("images", sa.Column(name, type_))
