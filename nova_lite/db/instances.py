"""Rows of ``instances`` as objects, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.db import block_devices, changes, instance_filters, networks, server_groups, volumes
from nova_lite.db.tables import instances
from nova_lite.db.times import now

_DERIVED = {"flavor_id", "vcpus", "memory_mb", "root_gb"}
_FAULT = ("fault_code", "fault_message", "fault_created", "fault_details")
_PLAIN = [column.name for column in instances.columns if column.name not in {*_DERIVED, *_FAULT, "flavor"}]
_COLUMNS = [instances.c[name] for name in _PLAIN] + [instances.c.flavor] + [instances.c[name] for name in _FAULT]
_FLAVOR_FIELDS = (
    *("flavorid", "name", "vcpus", "memory_mb", "root_gb", "ephemeral_gb", "swap", "rxtx_factor", "is_public"),
    *("disabled", "description", "extra_specs"),
)

_SELECT = sa.select(*_COLUMNS)
_GET = _SELECT.where(instances.c.uuid == sa.bindparam("uuid"))
_GET_FOR_UPDATE = _GET.with_for_update()


def _from_row(row: Any) -> objects.Instance:
    # Not by __init__, whose fifty arguments take longer than all else: a page has a thousand servers.
    instance = object.__new__(objects.Instance)
    instance.__dict__.update(zip(_PLAIN, row, strict=False))
    flavor, code, message, created, details = row[len(_PLAIN) :]
    instance.flavor = objects.Flavor(**flavor)
    instance.fault = objects.Fault(code, message, created, details) if code is not None else None
    return instance


def fault_columns(code: int, message: str, details: str | None = None) -> dict[str, Any]:
    """The columns that say why the last operation failed."""
    return dict(zip(_FAULT, (code, message, now(), details), strict=True))


def flavor_document(flavor: objects.Flavor) -> dict[str, Any]:
    """A flavor as a server keeps it."""
    return {name: getattr(flavor, name) for name in _FLAVOR_FIELDS}


def flavor_columns(flavor: objects.Flavor) -> dict[str, Any]:
    """The columns that say which flavor a server has."""
    return {
        "flavor": flavor_document(flavor),
        "flavor_id": flavor.flavorid,
        "vcpus": flavor.vcpus,
        "memory_mb": flavor.memory_mb,
        "root_gb": flavor.root_gb,
    }


NO_FAULT: dict[str, Any] = dict.fromkeys(_FAULT)


def get(connection: Connection, uuid: str, for_update: bool = False) -> objects.Instance | None:
    """The server of that uuid, deleted or not. ``for_update`` holds its row until the transaction ends."""
    row = connection.execute(_GET_FOR_UPDATE if for_update else _GET, {"uuid": uuid}).one_or_none()
    return _from_row(row) if row is not None else None


def at_address(connection: Connection, host: str, network: objects.Network, address: str) -> objects.Instance | None:
    """The live server of ``host`` that has an IPv4 address on a network; None when nobody has."""
    uuid = networks.holder_of(connection, network, address)
    instance = get(connection, uuid) if uuid is not None else None
    return instance if instance is not None and instance.host == host and not instance.deleted else None


def insert(connection: Connection, instance: objects.Instance) -> int:
    """Write a new server; its row's id."""
    values = {name: getattr(instance, name) for name in _PLAIN if name != "id"} | flavor_columns(instance.flavor)
    fault = instance.fault
    if fault is not None:
        values |= dict(zip(_FAULT, (fault.code, fault.message, fault.created, fault.details), strict=True))
    result = connection.execute(sa.insert(instances), values)
    changes.note_server(connection, instance.uuid, changes.CREATED)
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def update(connection: Connection, uuid: str, values: dict[str, Any]) -> None:
    """Set columns of one server."""
    connection.execute(sa.update(instances).where(instances.c.uuid == sa.bindparam("key")), {"key": uuid, **values})
    if not changes.TOLD.isdisjoint(values):
        changes.note_server(connection, uuid, changes.CHANGED)


def mark_deleted(connection: Connection, uuid: str) -> None:
    """Nova's end state of a server: the row stays, for lists with ``changes-since`` and for its actions."""
    at = now()
    values = {
        "vm_state": "deleted",
        "task_state": None,
        "power_state": 0,
        "deleted": True,
        "terminated_at": at,
        "updated_at": at,
    }
    update(connection, uuid, values)
    changes.note_server(connection, uuid, changes.DELETED)
    networks.release(connection, uuid)
    volumes.release(connection, uuid)
    block_devices.release(connection, uuid)
    server_groups.remove_member(connection, uuid)


def list_(
    connection: Connection,
    filters: dict[str, Any],
    sort: list[tuple[str, str]],
    limit: int | None,
    marker: str | None,
) -> list[objects.Instance]:
    """Servers that match, sorted, after the marker. Invalid for an unknown marker, filter, sort key or pattern."""
    query = instance_filters.apply(_SELECT, filters)
    keys = instance_filters.sort_keys(sort)
    if marker is not None:
        visible: dict[str, Any] = {name: filters[name] for name in ("project_id", "user_id") if name in filters}
        found = instance_filters.apply(sa.select(*(expression for expression, _ in keys)), visible)
        values = connection.execute(found.where(instances.c.uuid == marker)).one_or_none()
        if values is None:
            raise exceptions.Invalid(f"marker [{marker}] not found")
        query = query.where(instance_filters.after(keys, list(values)))
    query = query.order_by(*(sa.desc(e) if direction == "desc" else sa.asc(e) for e, direction in keys))
    if limit is not None:
        query = query.limit(limit)
    with instance_filters.readable_errors():
        return [_from_row(row) for row in connection.execute(query).all()]


def of_host(connection: Connection, host: str) -> list[objects.Instance]:
    """Every live server of a host."""
    query = _SELECT.where(instances.c.host == host, instances.c.deleted.is_(False)).order_by(instances.c.id)
    return [_from_row(row) for row in connection.execute(query).all()]


def names_of_hosts(connection: Connection, hosts: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """(uuid, name) of the live servers of each host."""
    found: dict[str, list[tuple[str, str]]] = {host: [] for host in hosts}
    query = sa.select(instances.c.host, instances.c.uuid, instances.c.display_name).where(
        instances.c.host.in_(list(found)), instances.c.deleted.is_(False)
    )
    for host, uuid, name in connection.execute(query.order_by(instances.c.id)):
        found[host].append((uuid, name))
    return found


_SUMS = (
    sa.func.count(),
    sa.func.coalesce(sa.func.sum(instances.c.vcpus), 0),
    sa.func.coalesce(sa.func.sum(instances.c.memory_mb), 0),
    sa.func.coalesce(sa.func.sum(instances.c.root_gb), 0),
    sa.func.coalesce(sa.func.sum(sa.case((instances.c.power_state == 1, 1), else_=0)), 0),
    sa.func.coalesce(sa.func.sum(sa.case((instances.c.task_state.is_not(None), 1), else_=0)), 0),
)
_SUMS_KEYS = ("instances", "cores", "ram", "disk", "running", "busy")


def project_usage(connection: Connection, project_id: str, user_id: str | None = None) -> dict[str, int]:
    """{"instances", "cores", "ram" (MiB), "disk" (GiB), "running", "busy"} of the live servers of a project, or of a
    user in it. What waits to be deleted for good no longer counts."""
    query = sa.select(*_SUMS).where(
        instances.c.project_id == project_id, instances.c.deleted.is_(False), instances.c.vm_state != "soft-delete"
    )
    if user_id is not None:
        query = query.where(instances.c.user_id == user_id)
    return {key: int(value) for key, value in zip(_SUMS_KEYS, connection.execute(query).one(), strict=True)}


def host_usage(connection: Connection, host: str) -> dict[str, int]:
    """As ``project_usage``, of the live servers of a host."""
    query = sa.select(*_SUMS).where(instances.c.host == host, instances.c.deleted.is_(False))
    return {key: int(value) for key, value in zip(_SUMS_KEYS, connection.execute(query).one(), strict=True)}
