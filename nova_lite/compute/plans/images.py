"""Images of servers: createImage and createBackup."""

from __future__ import annotations

from nova_lite import objects
from nova_lite.compute import snapshot_files, states
from nova_lite.compute.plans.base import Columns, Plan
from nova_lite.compute.server_host import Host


def _cut(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
    host.snapshots.cut(instance, host.spec(instance), operation)


def _make_image(host: Host, instance: objects.Instance, operation: objects.Operation) -> None:
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
        (("cut", _cut), ("finish", _make_image)),
        {},
        snapshot_files.ended,
        _go_on,
    ),
    "createBackup": Plan(
        states.CREATE_BACKUP,
        "compute_backup_instance",
        (("cut", _cut), ("finish", _make_image), ("rotate", _rotate)),
        {},
        snapshot_files.ended,
        _go_on,
    ),
}
