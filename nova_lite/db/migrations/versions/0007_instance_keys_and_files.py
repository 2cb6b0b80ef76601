"""A server keeps the public key that it was booted with, and has files to find in its metadata."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

_JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.add_column("instances", sa.Column("keypair", _JSON))
    op.add_column("instances", sa.Column("injected_files", _JSON, nullable=False, server_default="[]"))
    instances = sa.table("instances", *map(sa.column, ("id", "user_id", "key_name")), sa.column("keypair", _JSON))
    keypairs = sa.table("keypairs", *map(sa.column, ("user_id", "name", "type", "public_key")))
    known = sa.select(instances.c.id, keypairs.c.name, keypairs.c.type, keypairs.c.public_key).join(
        keypairs, sa.and_(keypairs.c.user_id == instances.c.user_id, keypairs.c.name == instances.c.key_name)
    )
    for row in op.get_bind().execute(known).all():
        key = {"name": row.name, "type": row.type, "public_key": row.public_key}
        op.execute(sa.update(instances).where(instances.c.id == row.id).values(keypair=key))
