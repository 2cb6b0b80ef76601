"""``nova-lite volume``: disks that outlive servers."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import click

from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.token import identity
from nova_lite.compute.images import ImageStore
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Database
from nova_lite.volumes.store import Progress, VolumeStore

_COLUMNS = ["id", "name", "status", "size_gb", "server", "project_id", "bootable", "created_at"]


@click.group()
def volume() -> None:
    """Create, list, show, extend and delete volumes.

    A volume is a disk in this host's block store, a file with holes. A server gets it by os-volume_attachments
    (`openstack server add volume`) or boots from it.
    """


def _store(settings: Settings, database: Database) -> VolumeStore:
    images = ImageStore(database, settings.paths, settings.conf.host)
    return VolumeStore(database, settings.paths, images, settings.conf.host)


def _rows(database: Database, store: VolumeStore) -> list[dict[str, Any]]:
    with database.read() as connection:
        servers = db_volumes.servers_of(connection)
    return [
        {**vars(found), "id": found.uuid, "server": servers.get(found.uuid), "bootable": found.bootable}
        for found in store.list()
    ]


@volume.command("create")
@click.argument("name")
@click.option("--size", "size_gb", type=click.IntRange(1), help="GiB.  [default: as large as the image's disk]")
@click.option("--image", "image_id", help="Id of an image that it begins with: a server can then boot from it.")
@click.option("--project", default="admin", show_default=True, help="Name or id of the project that it belongs to.")
@click.option("--description", help="What it is for.")
@pass_settings
def create(
    settings: Settings, name: str, size_gb: int | None, image_id: str | None, project: str, description: str | None
) -> None:
    """Make the volume NAME and print its id.

    \b
    nova-lite volume create data --size 10
    nova-lite volume create root --image 7d3c...
    """
    if size_gb is None and image_id is None:
        raise click.UsageError("An empty volume needs a --size.")
    with open_database(settings, create=True) as database, _progress() as progress:
        made = _store(settings, database).create(
            size_gb,
            name=name,
            project_id=identity("project", project),
            description=description,
            image_id=image_id,
            progress=progress,
        )
    click.echo(made.uuid)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    with click.progressbar(length=1, label="volume", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:

        def show(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield show


@volume.command("list")
@table.json_option
@pass_settings
def list_volumes(settings: Settings, as_json: bool) -> None:
    """List the volumes of this host."""
    with open_database(settings) as database:
        rows = _rows(database, _store(settings, database))
    table.show(rows, _COLUMNS, as_json, "No volumes. `nova-lite volume create NAME --size GIB` makes one.")


@volume.command("show")
@click.argument("volume_id")
@table.json_option
@pass_settings
def show_volume(settings: Settings, volume_id: str, as_json: bool) -> None:
    """Show the volume VOLUME_ID."""
    with open_database(settings) as database:
        store = _store(settings, database)
        store.get(volume_id)
        rows = [row for row in _rows(database, store) if row["id"] == volume_id]
    table.show(rows, [*_COLUMNS, "description", "image_id", "updated_at"], as_json, "")


@volume.command("extend")
@click.argument("volume_id")
@click.argument("size_gb", type=click.IntRange(1))
@pass_settings
def extend(settings: Settings, volume_id: str, size_gb: int) -> None:
    """Give the volume VOLUME_ID, which no server may have, SIZE_GB GiB."""
    with open_database(settings) as database:
        changed = _store(settings, database).extend(volume_id, size_gb)
    click.echo(f"Volume {changed.uuid} has {changed.size_gb} GiB.")


@volume.command("delete")
@click.argument("volume_id")
@pass_settings
def delete(settings: Settings, volume_id: str) -> None:
    """Delete the volume VOLUME_ID, which no server may have, with all that is on it."""
    with open_database(settings) as database:
        _store(settings, database).delete(volume_id)
    click.echo(f"Deleted {volume_id}.")
