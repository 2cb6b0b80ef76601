"""Rows of ``server_groups`` and ``server_group_members``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import instances, server_group_members, server_groups
from nova_lite.db.times import now

_FIELDS = ("id", "uuid", "name", "project_id", "user_id", "policy", "rules")
_SELECT = sa.select(*(server_groups.c[name] for name in _FIELDS))
_LIVE = instances.c.deleted.is_(False)
_MEMBERSHIP = server_group_members.join(instances, instances.c.uuid == server_group_members.c.instance_uuid)


def get(connection: Connection, uuid: str) -> objects.ServerGroup | None:
    """The group of that uuid, with its live members."""
    return next(iter(_groups(connection, _SELECT.where(server_groups.c.uuid == uuid))), None)


def list_(connection: Connection, project_id: str | None, limit: int, offset: int) -> list[objects.ServerGroup]:
    """A project's groups, or everyone's when it is None, the oldest first."""
    query = _SELECT.order_by(server_groups.c.id).limit(limit).offset(offset)
    return _groups(connection, query if project_id is None else query.where(server_groups.c.project_id == project_id))


def of_server(connection: Connection, instance_uuid: str) -> list[str]:
    """The uuids of the groups that a server is in: one, or none."""
    query = sa.select(server_groups.c.uuid).join(
        server_group_members, server_group_members.c.group_id == server_groups.c.id
    )
    return list(connection.execute(query.where(server_group_members.c.instance_uuid == instance_uuid)).scalars())


def group_of_server(connection: Connection, instance_uuid: str) -> objects.ServerGroup | None:
    """The group that a server is in, if any."""
    return next((get(connection, uuid) for uuid in of_server(connection, instance_uuid)), None)


def members_by_host(connection: Connection, group: objects.ServerGroup) -> dict[str, int]:
    """How many live servers of a group each host has; servers that are on no host are left out."""
    query = (
        sa.select(instances.c.host, sa.func.count())
        .select_from(_MEMBERSHIP)
        .where(server_group_members.c.group_id == group.id, _LIVE, instances.c.host != "")
        .group_by(instances.c.host)
    )
    return {host: int(count) for host, count in connection.execute(query)}


def hosts_of(connection: Connection, instance_uuids: Iterable[str]) -> set[str]:
    """The hosts on which any of these servers live."""
    query = sa.select(instances.c.host).where(instances.c.uuid.in_(list(instance_uuids)), _LIVE, instances.c.host != "")
    return set(connection.execute(query.distinct()).scalars())


def count(connection: Connection, project_id: str, user_id: str | None = None) -> int:
    """The groups of a project, or those of a user in it."""
    query = sa.select(sa.func.count()).select_from(server_groups).where(server_groups.c.project_id == project_id)
    if user_id is not None:
        query = query.where(server_groups.c.user_id == user_id)
    return int(connection.execute(query).scalar_one())


def count_members(connection: Connection, group: objects.ServerGroup, user_id: str) -> int:
    """A user's live servers in a group."""
    query = sa.select(sa.func.count()).select_from(_MEMBERSHIP)
    of_user = query.where(server_group_members.c.group_id == group.id, instances.c.user_id == user_id, _LIVE)
    return int(connection.execute(of_user).scalar_one())


def insert(connection: Connection, group: objects.ServerGroup) -> None:
    values = {name: getattr(group, name) for name in _FIELDS if name != "id"} | {"created_at": now()}
    result = connection.execute(sa.insert(server_groups), values)
    group.id = int(result.inserted_primary_key[0])  # type: ignore[index]


def add_members(connection: Connection, group: objects.ServerGroup, instance_uuids: Iterable[str]) -> None:
    rows = [{"group_id": group.id, "instance_uuid": uuid} for uuid in instance_uuids]
    connection.execute(sa.insert(server_group_members), rows)


def remove_member(connection: Connection, instance_uuid: str) -> None:
    """A server that is gone is in no group."""
    connection.execute(
        sa.delete(server_group_members).where(server_group_members.c.instance_uuid == sa.bindparam("member")),
        {"member": instance_uuid},
    )


def delete(connection: Connection, group: objects.ServerGroup) -> bool:
    """Its servers go on without it. False when it was gone already."""
    return connection.execute(sa.delete(server_groups).where(server_groups.c.id == group.id)).rowcount == 1


def _groups(connection: Connection, query: sa.Select[Any]) -> list[objects.ServerGroup]:
    found = [objects.ServerGroup(**dict(zip(_FIELDS, row, strict=True))) for row in connection.execute(query)]
    by_id = {group.id: group for group in found}
    members = (
        sa.select(server_group_members.c.group_id, server_group_members.c.instance_uuid)
        .select_from(_MEMBERSHIP)
        .where(server_group_members.c.group_id.in_(list(by_id)), _LIVE)
        .order_by(instances.c.id)
    )
    for group_id, uuid in connection.execute(members) if by_id else ():
        by_id[group_id].members.append(uuid)
    return found
