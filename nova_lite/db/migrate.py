"""Bringing a database's schema up to date, by alembic, inside one transaction of the caller."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import Connection

HEAD = "0020"  # the newest file of migrations/versions; a test compares


@contextlib.contextmanager
def alone(url: sa.URL) -> Iterator[None]:
    """Keep other processes out while a SQLite file is prepared (its journal mode cannot be set in a transaction)."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        yield
        return
    with open(f"{url.database}.upgrade-lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def current(connection: Connection) -> str | None:
    """The version that the database has; None for an empty one."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def upgrade(connection: Connection) -> None:
    """Run what is missing. alembic is imported only then: it costs a start-up more than the rest of this package."""
    if current(connection) == HEAD:
        return
    from alembic import command, config

    options = config.Config()
    options.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    options.attributes["connection"] = connection
    command.upgrade(options, "head")
