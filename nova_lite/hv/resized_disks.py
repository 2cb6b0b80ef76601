"""A server's own disks while it is resized: the old ones lie beside the new until the resize is confirmed or reverted.

The folder of the disks is put aside as a whole, so that at every moment it is clear which disks are which.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from nova_lite.disks import overlay
from nova_lite.disks.overlay_format import OverlayError
from nova_lite.hv.driver import DiskSpec, DriverError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def resize(folder: Path, disks: Iterable[DiskSpec]) -> None:
    """Put ``folder`` aside, unless that is done, and make those of ``disks`` anew that were in it. May be cut off and
    done again.

    :raises DriverError: there is no space, or a disk is damaged.
    """
    aside = _aside(folder)
    try:
        if not aside.exists():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.rename(aside)
        folder.mkdir(mode=0o700, exist_ok=True)
        for disk in disks:
            old = aside / disk.path.name
            kept = disk.path.parent == folder and not disk.head  # what has a beginning of its own (swap) holds nothing
            if kept and old.exists() and not disk.path.exists():
                overlay.copy(old, disk.path, disk.size)
    except OverlayError as error:
        what = str(error).replace(str(aside), "").replace(str(folder), "")
        raise DriverError(f"The server's disks cannot be resized: {what}") from error
    except OSError as error:
        what = "the host has no space left for them" if error.errno in _FULL else error.strerror or str(error)
        raise DriverError(f"The server's disks cannot be resized: {what}.") from error


def restore(folder: Path) -> None:
    """What was put aside takes its place again, if there is any.

    :raises DriverError: it cannot.
    """
    aside = _aside(folder)
    try:
        if aside.exists():
            if folder.exists():
                shutil.rmtree(folder)
            aside.rename(folder)
    except OSError as error:
        raise DriverError(f"The server's disks cannot be put back: {error.strerror}.") from error


def forget(folder: Path) -> None:
    """Nothing is aside afterwards.

    :raises DriverError: it cannot be removed.
    """
    aside, leaving = _aside(folder), folder.with_name(f"{folder.name}.leaving")
    try:
        if leaving.exists():
            shutil.rmtree(leaving)
        if aside.exists():
            os.rename(aside, leaving)  # at once: half of the old disks must never come back
            shutil.rmtree(leaving)
    except OSError as error:
        raise DriverError(f"The server's old disks cannot be removed: {error.strerror}.") from error


def _aside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.resize")
