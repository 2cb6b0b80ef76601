"""How commands reach the database: the service's own, whether it runs or not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from nova_lite import exceptions
from nova_lite.cli.main import Settings
from nova_lite.db.engine import Database


def database_url(settings: Settings) -> str:
    return settings.conf.database.connection or f"sqlite:///{settings.paths.database}"


@contextlib.contextmanager
def open_database(settings: Settings, create: bool = False) -> Iterator[Database]:
    """The database, closed afterwards. :param create: make it, or bring it up to date, first."""
    if create:
        settings.paths.make()
    elif not settings.conf.database.connection and not settings.paths.database.exists():
        raise exceptions.NotFound(f"There is no database in {settings.paths.state} yet: `nova-lite serve` makes it.")
    database = Database(database_url(settings))
    try:
        if create:
            _upgrade(database)
        yield database
    finally:
        database.close()


def _upgrade(database: Database) -> None:
    """Raises Unavailable with the database's own word for what is wrong with it."""
    try:
        database.upgrade()
    except (exceptions.Unavailable, sa.exc.DatabaseError) as error:
        cause = error if isinstance(error, sa.exc.DBAPIError) else error.__cause__
        reason = str(getattr(cause, "orig", cause)).rstrip(".")
        where = database.url.render_as_string()  # without its password
        raise exceptions.Unavailable(f"The database {where} cannot be used: {reason}.") from error
