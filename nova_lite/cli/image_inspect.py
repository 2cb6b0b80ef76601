"""``nova-lite image inspect``: what a disk boots, without making an image of it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from nova_lite.cli import table


@click.command()
@click.argument("disk", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--extract",
    "folder",
    type=click.Path(path_type=Path),
    help="Copy kernel, initramfs and command line into this new folder.",
)
@table.json_option
def inspect(disk: Path, folder: Path | None, as_json: bool) -> None:
    """Show what the raw disk image DISK boots, by its own boot loader's configuration.

    \b
    nova-lite image inspect disk.raw --extract boot
    nova-lite-vmm --api-socket vmm.sock --kernel boot/kernel --initramfs boot/initramfs \\
        --cmdline "$(cat boot/cmdline)" --disk path=disk.raw --serial tty
    """
    from nova_lite.disks.boot import find, reader

    if folder is not None and folder.exists():
        raise click.BadParameter(f"{folder} exists already", param_hint="--extract")
    try:
        with open(disk, "rb") as file:
            descriptor, size = file.fileno(), file.seek(0, os.SEEK_END)
            if (form := _container(os.pread(descriptor, 8, 0))) is not None:
                raise click.ClickException(
                    f"{disk} is a {form} image, not a raw one. `qemu-img convert -O raw {disk} disk.raw` makes one."
                )
            opened = reader.Disk.of_file(descriptor, size)
            found = find.entry(opened)
            if folder is not None:
                find.extract(opened, found, folder)
    except find.NothingBootable as error:
        raise click.ClickException("Nothing on this disk can be booted:\n  " + "\n  ".join(error.report)) from error
    except (reader.DiskError, reader.ReaderError, OSError) as error:
        raise click.ClickException(str(error)) from error
    row = {
        "title": found.title,
        "configuration": found.source,
        "device": found.device.removeprefix("loop0,"),
        "kernel": found.kernel,
        "initramfs": [path for _, path in found.initramfs],
        "cmdline": found.cmdline,
    }
    if as_json:
        table.show([row], list(row), True, "")
        return
    for name, value in row.items():
        click.echo(f"{name:14} {', '.join(value) if isinstance(value, list) else value}")


def _container(head: bytes) -> str | None:
    """The name of a disk format that has the disk inside of it."""
    names = {b"QFI\xfb": "qcow2", b"KDMV": "VMDK", b"conectix": "VHD", b"vhdxfile": "VHDX"}
    return next((name for magic, name in names.items() if head.startswith(magic)), None)
