"""Images of servers: createImage and createBackup."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import snapshot_files, states
from nova_lite.compute.plans.base import Columns, Plan
from nova_lite.compute.server_host import Host


def cut(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Copy the root disk as it is at one moment."""
    host.snapshots.cut(instance, host.spec(instance), operation)


def finish(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    """Make an image of the copy."""
    host.snapshots.finish(host.spec(instance), operation)


def _rotate(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.snapshots.rotate(instance, operation)


def _go_on(host: Host, instance: objects.Instance, operation: objects.Operation) -> Columns:
    host.snapshots.go_on(instance)
    return {}


PLANS = {
    "createImage": Plan(
        states.CREATE_IMAGE,
        "compute_snapshot_instance",
        (("cut", cut), ("finish", finish)),
        {},
        snapshot_files.ended,
        _go_on,
    ),
    "createBackup": Plan(
        states.CREATE_BACKUP,
        "compute_backup_instance",
        (("cut", cut), ("finish", finish), ("rotate", _rotate)),
        {},
        snapshot_files.ended,
        _go_on,
    ),
}
