"""alembic's entry: runs the migrations on the connection, and in the transaction, that migrate.py hands over."""

from alembic import context

from nova_lite.db import tables

context.configure(connection=context.config.attributes["connection"], target_metadata=tables.metadata)
context.run_migrations()
