"""``nova-lite image``: what servers can boot."""

from __future__ import annotations

from pathlib import Path

import click

from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.token import identity
from nova_lite.compute.images import FORMATS, ImageStore

_ELF_MAGIC = b"\x7fELF"


@click.group()
def image() -> None:
    """Add, list and remove images.

    An image is a kernel: a flat 16-bit binary or a 64-bit ELF file. Two are shipped, counting and interactive.
    """


@image.command("add")
@click.argument("name")
@click.argument("kernel", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--format",
    "kernel_format",
    type=click.Choice(FORMATS),
    help="flat16: real mode, loaded at 0x10000; elf64: long mode.  [default: elf64 for an ELF file, else flat16]",
)
@click.option("--cmdline", default="", help="Command line handed to the kernel.")
@click.option("--min-ram", type=click.IntRange(0), default=0, show_default=True, help="MiB that it needs.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME=VALUE", help="A property of the image; may be repeated."
)
@click.option("--project", help="Name or id of the one project that may see it.  [default: public]")
@pass_settings
def add(
    settings: Settings,
    name: str,
    kernel: Path,
    kernel_format: str | None,
    cmdline: str,
    min_ram: int,
    properties: tuple[str, ...],
    project: str | None,
) -> None:
    """Copy KERNEL into the image store as NAME and print the image's id."""
    pairs = [text.partition("=") for text in properties]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--property")
    if kernel_format is None:
        with open(kernel, "rb") as file:
            kernel_format = "elf64" if file.read(4) == _ELF_MAGIC else "flat16"
    with open_database(settings, create=True) as database:
        added = ImageStore(database, settings.paths, settings.conf.host).add(
            name,
            kernel,
            kernel_format,
            cmdline=cmdline,
            min_ram=min_ram,
            properties={key: value for key, _, value in pairs},
            visibility="private" if project else "public",
            project_id=identity("project", project) if project else None,
        )
    click.echo(added.id)


@image.command("list")
@table.json_option
@pass_settings
def list_images(settings: Settings, as_json: bool) -> None:
    """List the images of this host."""
    with open_database(settings) as database:
        rows = [vars(image) for image in ImageStore(database, settings.paths, settings.conf.host).list()]
    columns = ["id", "name", "kernel_format", "size", "min_ram", "visibility", "project_id", "created_at"]
    table.show(rows, columns, as_json, "No images. `nova-lite image add NAME KERNEL` adds one.")


@image.command("remove")
@click.argument("image_id")
@pass_settings
def remove(settings: Settings, image_id: str) -> None:
    """Remove the image IMAGE_ID. Servers that run it go on, but cannot be started again."""
    with open_database(settings) as database:
        ImageStore(database, settings.paths, settings.conf.host).remove(image_id)
    click.echo(f"Removed {image_id}.")
