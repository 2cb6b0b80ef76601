"""Disks of servers on this host: their own ones made before the first boot, all of them looked at before each."""

from __future__ import annotations

import errno
import os
from typing import Any

from nova_lite.disks import overlay, overlay_format
from nova_lite.disks.overlay_format import OverlayError
from nova_lite.hv.driver import DiskSpec, DriverError

_FULL = (errno.ENOSPC, errno.EDQUOT)


def make(disk: DiskSpec) -> None:
    """Make a disk of the server's own unless it is there; it is whole or not there, whenever this is cut off.

    :raises DriverError: it cannot be made, or what it needs is missing.
    """
    if disk.format == "raw" or disk.path.exists():
        check(disk)
        return
    _check_backing(disk)
    try:
        disk.path.parent.mkdir(mode=0o700, exist_ok=True)
        overlay.create(disk.path, disk.size, disk.backing, disk.head)
    except OverlayError as error:
        what = _without_paths(error, disk)
        raise DriverError(f"The server's disk {disk.device_name} cannot be made: {what}") from error
    except OSError as error:
        what = reason(error, "create the server again")
        raise DriverError(f"The server's disk {disk.device_name} cannot be made: {what}.") from error


def reason(error: OSError, then: str) -> str:
    """Why a file of a server could not be written, for who reads its fault; ``then``: what to do once there is room."""
    if error.errno in _FULL:
        return f"the host has no space left for it. Ask its administrator to free some, then {then}"
    return error.strerror or str(error)


def remove(disk: DiskSpec) -> None:
    """Remove a disk of the server's own, if it is there.

    :raises DriverError: it cannot be removed.
    """
    if disk.format == "raw":
        return
    try:
        disk.path.unlink(missing_ok=True)
    except OSError as error:
        raise DriverError(f"The server's disk {disk.device_name} cannot be removed: {error.strerror}.") from error


def check(disk: DiskSpec) -> None:
    """Look whether a disk is there and goes with its image.

    :raises DriverError: it is missing, damaged, or its image has changed.
    """
    name = disk.device_name
    if disk.format == "raw":
        if not disk.path.exists():
            raise DriverError(f"The server's disk {name} is missing on its host.")
        return
    _check_backing(disk)
    try:
        fd = os.open(disk.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise DriverError(
            f"The server's disk {name} is missing on its host. It is not replaced by an empty one: ask the host's "
            "administrator to restore it, or delete the server."
        ) from None
    except OSError as error:
        raise DriverError(f"The server's disk {name} cannot be read: {error.strerror}.") from error
    base_fd = None
    try:
        base_fd = None if disk.backing is None else os.open(disk.backing, os.O_RDONLY | os.O_CLOEXEC)
        overlay_format.check_base(overlay_format.read_header(fd, disk.path), base_fd, disk.path)
    except OverlayError as error:
        raise DriverError(f"The server's disk {name} cannot be used: {_without_paths(error, disk)}") from error
    except OSError as error:
        raise DriverError(f"The server's disk {name} cannot be read: {error.strerror}.") from error
    finally:
        os.close(fd)
        if base_fd is not None:
            os.close(base_fd)


def vm_config(disk: DiskSpec) -> dict[str, Any]:
    """Its entry in the ``disks`` of a VmConfig."""
    config: dict[str, Any] = {"id": disk.device_name, "path": str(disk.path), "readonly": disk.readonly}
    config["image_type"] = "Overlay" if disk.format == "overlay" else "Raw"
    if disk.backing is not None:
        config["backing_file"] = str(disk.backing)
    if disk.serial:
        config["serial"] = disk.serial
    return config


def _check_backing(disk: DiskSpec) -> None:
    if disk.backing is not None and not disk.backing.is_file():
        raise DriverError(
            f"The image that the server's disk {disk.device_name} is made of is missing on its host. Ask the host's "
            "administrator to restore it: the disk holds only what differs from it."
        )


def _without_paths(error: OverlayError, disk: DiskSpec) -> str:
    """Its words for a user, who knows no files of the host."""
    return str(error).replace(str(disk.path), disk.device_name)
