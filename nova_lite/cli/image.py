"""``nova-lite image``: what servers can boot."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from nova_lite.cli import image_build, image_inspect, table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.token import identity
from nova_lite.compute.images import ImageStore
from nova_lite.disks import importer
from nova_lite.hv.vmm.kernel_file import FORMATS

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def image() -> None:
    """Add, list and remove images.

    An image is a kernel with, if it is Linux, an initramfs, a command line and a disk. Two small guests are shipped,
    counting and interactive.
    """


image.add_command(image_build.build)
image.add_command(image_inspect.inspect)


@image.command("add")
@click.argument("name")
@click.argument("kernel", type=_FILE, required=False)
@click.option("--kernel", "kernel_option", type=_FILE, help="The kernel, instead of KERNEL.")
@click.option("--initrd", "--initramfs", "initramfs", type=_FILE, help="An initramfs for a Linux kernel.")
@click.option("--disk", type=_FILE, help="A disk, raw or qcow2; kept as a raw file with holes.")
@click.option(
    "--disk-format", type=click.Choice(importer.FORMATS), help="What the disk must be.  [default: recognised]"
)
@click.option(
    "--format",
    "kernel_format",
    type=click.Choice(FORMATS),
    help="How it is started. bzimage: Linux as distributions ship it; elf64, pvh: an ELF file (vmlinux), or a bzImage "
    "that the VMM unpacks; flat16: real mode, loaded at 0x10000.  [default: recognised]",
)
@click.option("--cmdline", default="", help="Command line handed to the kernel, 'console=ttyS0' for Linux.")
@click.option("--min-disk", type=click.IntRange(0), default=0, show_default=True, help="GiB of disk that it needs.")
@click.option("--min-ram", type=click.IntRange(0), default=0, show_default=True, help="MiB that it needs.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME=VALUE", help="A property of the image; may be repeated."
)
@click.option("--project", help="Name or id of the one project that may see it.  [default: public]")
@pass_settings
def add(
    settings: Settings,
    name: str,
    kernel: Path | None,
    kernel_option: Path | None,
    initramfs: Path | None,
    kernel_format: str | None,
    cmdline: str,
    disk: Path | None,
    disk_format: str | None,
    min_disk: int,
    min_ram: int,
    properties: tuple[str, ...],
    project: str | None,
) -> None:
    """Copy KERNEL into the image store as NAME and print the image's id.

    \b
    nova-lite image add debian --kernel vmlinuz --initrd initrd.img --cmdline 'console=ttyS0 root=/dev/vda1'
    nova-lite image add debian --disk debian-12-genericcloud-amd64.qcow2

    Servers of a disk alone boot what their disks say: kernel, initramfs and command line are found as its own boot
    loader's configuration names them (`nova-lite image inspect` shows them).
    """
    if kernel is not None and kernel_option is not None or kernel is kernel_option is disk is None:
        raise click.UsageError("Name one kernel, as KERNEL or with --kernel, or a --disk that boots.")
    if disk_format is not None and disk is None:
        raise click.UsageError("--disk-format is said of a --disk.")
    warnings: list[str] = []
    pairs = [text.partition("=") for text in properties]
    if wrong := [name for name, equals, _ in pairs if not (name and equals)]:
        raise click.BadParameter(f"{wrong[0]!r} is not NAME=VALUE", param_hint="--property")
    with open_database(settings, create=True) as database, _progress() as progress:
        added = ImageStore(database, settings.paths, settings.conf.host).add(
            name,
            kernel or kernel_option,
            kernel_format,
            initramfs=initramfs,
            cmdline=cmdline,
            disk=disk,
            disk_format=disk_format,
            max_disk_size=settings.conf.compute.max_image_disk_gb << 30,
            progress=progress,
            look_into_disk=not settings.conf.kvm.firmware,
            warn=lambda sentence: warnings.append(sentence),
            min_disk=min_disk,
            min_ram=min_ram,
            properties={key: value for key, _, value in pairs},
            visibility="private" if project else "public",
            project_id=identity("project", project) if project else None,
        )
    for sentence in warnings:
        click.echo(f"Warning: {sentence}", err=True)
        click.echo("Servers of this image will run, and say on their console that there is nothing to boot.", err=True)
    click.echo(added.id)


@contextlib.contextmanager
def _progress() -> Iterator[importer.Progress]:
    """A bar on standard error, if that is a terminal and a disk is converted at all."""
    with contextlib.ExitStack() as stack:
        bars: list[Any] = []

        def show(done: int, total: int) -> None:
            if not bars:
                bar = click.progressbar(length=total, label="disk", file=sys.stderr, hidden=not sys.stderr.isatty())
                bars.append(stack.enter_context(bar))
            bars[0].update(done - bars[0].pos)

        yield show


@image.command("list")
@table.json_option
@pass_settings
def list_images(settings: Settings, as_json: bool) -> None:
    """List the images of this host."""
    with open_database(settings) as database:
        rows = [vars(image) for image in ImageStore(database, settings.paths, settings.conf.host).list()]
    columns = ["id", "name", "kernel_format", "size", "min_ram", "visibility", "project_id", "created_at"]
    columns += ["initramfs", "cmdline", "disk_format", "virtual_size"]
    table.show(rows, columns, as_json, "No images. `nova-lite image add NAME KERNEL` adds one.")


@image.command("remove")
@click.argument("image_id")
@pass_settings
def remove(settings: Settings, image_id: str) -> None:
    """Remove the image IMAGE_ID.

    Servers that were made of it go on, and its files stay until the last of them is deleted.
    """
    with open_database(settings) as database:
        ImageStore(database, settings.paths, settings.conf.host).remove(image_id)
    click.echo(f"Removed {image_id}.")
