"""``nova-lite image build``: images made from a distribution's packages."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from nova_lite import exceptions
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.compute.images import ImageStore
from nova_lite.disks import debian

#: MiB that the image's systemd and cloud-init, or its kernel alone, need to come up.
_MIN_RAM = {debian.DEBIAN.name: 256, debian.BUSYBOX.name: 96}

_SUITE = click.option("--suite", default=debian.Recipe.suite, show_default=True, help="Debian's release, by its name.")
_MIRROR = click.option(
    "--mirror", help=f"Where packages come from.  [default: what this machine's apt uses, else {debian.MIRROR}]"
)
_CACHE = click.option(
    "--cache", type=click.Path(file_okay=False, path_type=Path), help="Folder that keeps what was made."
)
_REFRESH = click.option("--refresh", is_flag=True, help="Make it anew even if the cache has it, with today's packages.")


@click.group()
def build() -> None:
    """Make an image from a distribution's packages."""


@build.command("debian")
@click.argument("name", required=False)
@_SUITE
@_MIRROR
@click.option(
    "--size",
    type=click.IntRange(1, 1024),
    default=1,
    show_default=True,
    metavar="GIB",
    help="Size of the disk; a server's grows to its flavor's at the first boot.",
)
@click.option("--include", multiple=True, metavar="PACKAGE[,…]", help="Further packages; may be repeated.")
@_CACHE
@_REFRESH
@pass_settings
def build_debian(
    settings: Settings,
    name: str | None,
    suite: str,
    mirror: str | None,
    size: int,
    include: tuple[str, ...],
    cache: Path | None,
    refresh: bool,
) -> None:
    """Make a Debian image with cloud-init and an ssh server, add it as NAME and print its id.

    \b
    nova-lite image build debian                         # as debian-bookworm
    nova-lite image build debian web --include nginx,curl --size 2

    Needs Debian's mmdebstrap and e2fsprogs, and some minutes; as root, or as a user with subordinate ids (uidmap). The
    same wishes a second time are served from the cache.
    """
    packages = tuple(sorted({package for text in include for package in text.replace(",", " ").split()}))
    recipe = debian.Recipe(suite, mirror, size << 10, packages)
    _add(settings, name or f"debian-{suite}", recipe, cache, refresh, label=f"Debian {suite}", min_disk=size)


@build.command("busybox")
@click.argument("name", default="busybox")
@_SUITE
@_MIRROR
@_CACHE
@_REFRESH
@pass_settings
def build_busybox(
    settings: Settings, name: str, suite: str, mirror: str | None, cache: Path | None, refresh: bool
) -> None:
    """Make a Linux that takes ssh seconds after its start, add it as NAME and print its id.

    \b
    nova-lite image build busybox
    openstack server create --image busybox --flavor m1.tiny --key-name mine one
    ssh root@ADDRESS

    Debian's cloud kernel with busybox, dropbear and some of util-linux and e2fsprogs: 64 MiB of disk, 96 MiB of memory.
    What a server is told (host name, key, files, user data that is a script) comes from its config drive or the
    metadata service; its serial console is a root shell. Needs Debian's mmdebstrap and e2fsprogs, as `image build
    debian` does.
    """
    _add(settings, name, debian.busybox(suite, mirror), cache, refresh, label="busybox", min_disk=0)


def _add(
    settings: Settings,
    name: str,
    recipe: debian.Recipe,
    cache: Path | None,
    refresh: bool,
    *,
    label: str,
    min_disk: int,
) -> None:
    """Make what the recipe gives, register it and print its id."""
    try:
        with _progress(label) as progress:
            made = debian.built(recipe, cache or debian.cache_folder(), progress, refresh)
    except debian.BuildFailed as error:
        raise exceptions.Invalid(str(error)) from error
    with open_database(settings, create=True) as database:
        added = ImageStore(database, settings.paths, settings.conf.host).add(
            name,
            made.kernel,
            initramfs=made.initramfs,
            cmdline=debian.CMDLINE,
            disk=made.disk,
            disk_format="raw",
            max_disk_size=settings.conf.compute.max_image_disk_gb << 30,
            min_disk=min_disk,
            min_ram=_MIN_RAM[recipe.system.name],
            properties={"os_type": "linux", "os_distro": "debian"},
        )
    click.echo(added.id)


@contextlib.contextmanager
def _progress(label: str) -> Iterator[debian.Progress]:
    """A bar on standard error, with what is being done beside it, if that is a terminal."""
    doing = [""]
    bar: Any = click.progressbar(
        length=100, label=label, file=sys.stderr, hidden=not sys.stderr.isatty(), item_show_func=lambda _: doing[0]
    )

    def show(percent: int, what: str) -> None:
        doing[0] = what
        bar.update(percent - bar.pos)

    with bar:
        yield show
