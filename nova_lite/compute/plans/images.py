"""Images of servers: createImage and createBackup."""

from __future__ import annotations

import contextlib

from nova_lite import exceptions, objects
from nova_lite.compute import snapshot_files, states
from nova_lite.compute.plans.base import Columns, Plan
from nova_lite.compute.server_host import Host
from nova_lite.hv.driver import DriverError


def cut(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Copy the root disk as it is at one moment."""
    host.snapshots.cut(instance, host.spec(instance), operation)


def finish(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Make an image of the copy."""
    host.snapshots.finish(host.spec(instance), operation)


def upload(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Give it to where images are kept, if that is not here."""
    if host.images.elsewhere is not None:
        try:
            host.images.elsewhere.upload(str(operation.args["image_id"]))
        except exceptions.NovaLiteError as error:
            raise DriverError(str(error)) from error


def _rotate(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.snapshots.rotate(instance, operation)


def _go_on(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    host.snapshots.go_on(instance)
    if host.images.elsewhere is not None:
        with contextlib.suppress(exceptions.ImageNotFound):
            host.images.remove(str(operation.args["image_id"]))
    return {}


PLANS = {
    "createImage": Plan(
        states.CREATE_IMAGE,
        "compute_snapshot_instance",
        (("cut", cut), ("finish", finish), ("upload", upload)),
        {},
        snapshot_files.ended,
        _go_on,
    ),
    "createBackup": Plan(
        states.CREATE_BACKUP,
        "compute_backup_instance",
        (("cut", cut), ("finish", finish), ("upload", upload), ("rotate", _rotate)),
        {},
        snapshot_files.ended,
        _go_on,
    ),
}
