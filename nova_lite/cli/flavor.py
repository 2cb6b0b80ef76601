"""``nova-lite flavor``: the sizes of servers; the API changes them."""

from __future__ import annotations

import click

from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.db import flavors


@click.group()
def flavor() -> None:
    """List flavors.

    Flavors are created, changed and deleted through the API (POST /flavors).
    """


@flavor.command("list")
@table.json_option
@pass_settings
def list_flavors(settings: Settings, as_json: bool) -> None:
    """List all flavors, private ones too."""
    with open_database(settings) as database, database.read() as connection:
        rows = [vars(found) for found in flavors.list_(connection, [], [], "memory_mb", "asc", None, None)]
    table.show(rows, ["flavorid", "name", "vcpus", "memory_mb", "is_public", "extra_specs"], as_json, "No flavors.")
