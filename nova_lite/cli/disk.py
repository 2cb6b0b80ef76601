"""``nova-lite disk``: copy-on-write overlays made, looked at and exported while no VM runs on them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from nova_lite import exceptions
from nova_lite.cli import table
from nova_lite.disks import overlay

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)
_base = click.option("--base", type=_FILE, help="The raw image that it lies over.")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Size(click.ParamType):
    """Bytes, or with K, M, G, T behind it."""

    name = "size"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = re.fullmatch(r"(\d{1,15})([KMGT]?)", str(value))
        if match is None:
            self.fail(f"{value!r} is no size such as 10G or 512M.", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


@click.group()
def disk() -> None:
    """Make, check and export the disks of servers.

    An overlay holds what was written over a raw image, its base, which many disks may share and which never changes.
    The base's path is not kept in the overlay: name it each time.
    """


@disk.command("create")
@click.argument("file", type=_NEW)
@_base
@click.option("--size", type=Size(), metavar="SIZE", help="Of the disk, as 10G.  [default: the base's]")
def create(file: Path, base: Path | None, size: int | None) -> None:
    """Make the overlay FILE; it takes kilobytes, whatever its size.

    \b
    nova-lite disk create root.overlay --base debian.raw --size 10G
    """
    if base is None and size is None:
        raise click.UsageError("Name a base, a size or both.")
    with _explained():
        overlay.create(file, size, base)


@disk.command("info")
@click.argument("file", type=_FILE)
@_base
@table.json_option
def info(file: Path, base: Path | None, as_json: bool) -> None:
    """Print size and use of the overlay FILE, in bytes."""
    with _explained(), overlay.open_view(file, base) as view:
        usage = view.usage()
        row = {"size": view.size, "base_size": view.header.base_size, **vars(usage)}
        table.show([row], list(row), as_json, "")


@disk.command("check")
@click.argument("file", type=_FILE)
@_base
def check(file: Path, base: Path | None) -> None:
    """Check that the overlay FILE is sound and goes with its base."""
    with _explained(), overlay.open_view(file, base) as view:
        usage = view.usage()
        click.echo(f"{file} is sound: {usage.written} of {view.size} bytes written.")
        if usage.left_over:
            click.echo(f"{usage.left_over} bytes were never flushed and do not count.")


@disk.command("export")
@click.argument("file", type=_FILE)
@click.argument("raw", type=_NEW)
@_base
def export(file: Path, raw: Path, base: Path | None) -> None:
    """Write the whole disk of the overlay FILE into the new image RAW."""
    with (
        _explained(),
        overlay.open_view(file, base) as view,
        click.progressbar(length=view.size, label=raw.name, update_min_steps=1 << 24) as bar,
    ):
        view.export(raw, bar.update)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except overlay.OverlayError as error:
        raise exceptions.Invalid(str(error)) from error
    except OSError as error:
        raise exceptions.Invalid(f"{error.filename or 'The disk'}: {error.strerror}") from error
