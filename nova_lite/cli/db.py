"""``nova-lite db``: the database's schema, and what is over in it."""

from __future__ import annotations

import sys
from datetime import datetime

import click

from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.moment import Moment
from nova_lite.db import migrate
from nova_lite.db import purge as db_purge


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


@db.command("purge")
@click.option(
    "--before", type=Moment(ago=True), help="What ended before: 90d, 12w or a time (2026-01-31, 2026-01-31T12:00Z)."
)
@click.option("--all", "everything", is_flag=True, help="What ended, whenever it did.")
@click.option("--operations", is_flag=True, help="Also ended operations of servers that are still there.")
@click.option("--dry-run", is_flag=True, help="Count, remove nothing.")
@click.option("--verbose", "-v", is_flag=True, help="Tell of each batch.")
@click.option(
    "--max-rows",
    type=click.IntRange(1, 10_000),
    default=1000,
    show_default=True,
    help="Servers, operations or migrations that one transaction removes at most.",
)
@click.option(
    "--sleep",
    type=click.FloatRange(0, 60),
    default=0.1,
    show_default=True,
    help="Seconds between two transactions, for the running service.",
)
@table.json_option
@pass_settings
def purge(
    settings: Settings,
    before: datetime | None,
    everything: bool,
    operations: bool,
    dry_run: bool,
    verbose: bool,
    max_rows: int,
    sleep: float,
    as_json: bool,
) -> None:
    """Remove deleted servers and their history from the database.

    A deleted server stays in the database, for usage records, its actions and lists of changes, until it is purged.
    The service may run meanwhile; what it has not finished is never touched. Ctrl-C is safe at any time: what is
    removed by then stays so.

    \b
    nova-lite db purge --before 90d --dry-run      # what would go
    nova-lite db purge --before 90d --operations   # also the history of living servers
    nova-lite db purge --all                       # every deleted server
    """
    if everything == (before is not None):
        raise click.UsageError("Say either --before WHEN or --all.")
    bounds = db_purge.Bounds(before, operations)
    with open_database(settings) as database:
        with database.read() as connection:
            counts = db_purge.count(connection, bounds)
        if not dry_run:
            total, counts = sum(counts.values()), dict.fromkeys(db_purge.TABLES, 0)
            hidden = verbose or not sys.stderr.isatty()
            with click.progressbar(length=total, label="rows", file=sys.stderr, hidden=hidden) as bar:
                for removed in db_purge.purge(database, bounds, max_rows, sleep):
                    for name, rows in removed.items():
                        counts[name] += rows
                    bar.update(sum(removed.values()))
                    if verbose:
                        parts = (f"{rows} {name}" for name, rows in removed.items())
                        click.echo(f"removed {', '.join(parts)}", err=True)
    found = [{"table": name, "rows": rows} for name, rows in counts.items()] if any(counts.values()) else []
    empty = "Nothing would be removed." if dry_run else "Nothing to remove."
    table.show(found, ["table", "rows"], as_json, empty)
