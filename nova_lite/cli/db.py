"""``nova-lite db``: the database's schema."""

from __future__ import annotations

import click

from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.db import migrate


@click.group()
def db() -> None:
    """Maintain the database.

    It is SQLite in the state folder unless [database] connection names a PostgreSQL.
    """


@db.command("upgrade")
@pass_settings
def upgrade(settings: Settings) -> None:
    """Make the database, or bring it to this version's schema.

    `nova-lite serve` does the same when it starts; this is for doing it before. Nothing to do is no error.
    """
    with open_database(settings, create=True) as database, database.read() as connection:
        click.echo(f"{database.url.render_as_string()} is at version {migrate.current(connection)}.")


@db.command("version")
@pass_settings
def version(settings: Settings) -> None:
    """Tell which schema the database has and which one this program needs."""
    with open_database(settings) as database, database.read() as connection:
        current = migrate.current(connection)
    click.echo(f"database {current or 'empty'}, program {migrate.HEAD}")
    if current != migrate.HEAD:
        click.echo("`nova-lite db upgrade` brings it up to date.")
        click.get_current_context().exit(1)
