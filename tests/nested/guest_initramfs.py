"""A small initramfs for guests of our VMM: static busybox, chosen modules, an /init that does what it is told.

What the kernel command line may ask of /init:

``nl.run="COMMAND"``
    Run it with the guest's shell; its output is on the console, then a line ``nl: exit CODE``. No double quotes in it.
``nl.then=poweroff|reboot|panic|wait|shell``
    What to do after that (poweroff); without ``nl.run``: shell on the console.

Lines to wait for on the console: ``nl: init`` (the first of all), ``nl: ready`` (modules are in), ``nl: exit CODE``,
``nl: power button`` (then it powers off). As a program: ``python -m tests.nested.guest_initramfs FILE [MODULE...]``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.nested import cpio, guest_kernel, kernels

#: Everything that our VMM has a device for; what the kernel has built in (serial, RTC, ext4) needs no module.
MODULES = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "virtio-rng",
    "virtio_balloon",
    "vmw_vsock_virtio_transport",
    "button",
    "evdev",
    "pvpanic-mmio",
)
_POWER_BUTTON = "#!/bin/sh\necho 'nl: power button' >/dev/console\npoweroff -f\n"


def contents(
    modules: tuple[str, ...] = MODULES,
    files: Mapping[str, bytes | Path] | None = None,
    kernel: kernels.Kernel | None = None,
) -> bytes:
    """The archive, not compressed (under emulation unpacking costs more than copying).

    ``modules`` and all they need are loaded in that order; ``files`` are added, executable, by their path in the guest
    (a ``Path`` stands for that file's contents). ``kernel``: whose modules; Debian's cloud kernel when None.
    """
    archive = cpio.Archive()
    archive.character_device("dev/console", 0o600, 5, 1)  # before devtmpfs, /init has no output without it
    for folder in ("proc", "sys", "tmp", "mnt", "etc"):
        archive.folder(folder)
    archive.file("bin/busybox", kernels.busybox().read_bytes(), 0o755)
    archive.file("init", Path(__file__).with_name("guest_init.sh").read_bytes(), 0o755)
    archive.file("etc/acpi/PWRF/00000080", _POWER_BUTTON.encode(), 0o755)
    order = (kernel or guest_kernel.kernel()).load_order(modules)
    for file in order:
        archive.file(f"modules/{file.name}", kernels.module_contents(file))
    archive.file("modules/order", "".join(f"{file.name}\n" for file in order).encode())
    for path, data in (files or {}).items():
        archive.file(path, data if isinstance(data, bytes) else data.read_bytes(), 0o755)
    return archive.finished()


def command_line(run: str | None = None, then: str | None = None) -> str:
    """The words for the kernel command line that make /init do this."""
    if run is not None and (not run or not run.isprintable() or '"' in run):
        raise ValueError(f"nl.run: not empty, one line, no double quotes: {run!r}")
    words = [f'nl.run="{run}"'] if run is not None else []
    return " ".join([*words, *([f"nl.then={then}"] if then else [])])


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(contents(tuple(sys.argv[2:]) or MODULES))
