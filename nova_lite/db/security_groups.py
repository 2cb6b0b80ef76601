"""Rows of ``security_groups`` with their rules."""

from __future__ import annotations

import uuid as uuidlib
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import objects
from nova_lite.db.tables import port_security_groups, security_group_rules, security_groups
from nova_lite.db.times import now

DEFAULT = "default"

_GROUP = tuple(security_groups.c[name] for name in ("id", "project_id", "name", "description", "created_at"))
_RULE_FIELDS = (
    *("id", "security_group_id", "direction", "protocol", "port_range_min", "port_range_max"),
    *("remote_ip_prefix", "remote_group_id", "ethertype", "description"),
)
_RULE = tuple(security_group_rules.c[name] for name in _RULE_FIELDS)


def list_(connection: Connection, project_id: str | None = None) -> list[objects.SecurityGroup]:
    """The groups of a project, or all, by name, each with its rules."""
    query = sa.select(*_GROUP).order_by(security_groups.c.project_id, security_groups.c.name)
    if project_id is not None:
        query = query.where(security_groups.c.project_id == project_id)
    found = {row.id: objects.SecurityGroup(*row) for row in connection.execute(query)}
    for rule in rules(connection):
        if rule.security_group_id in found:
            found[rule.security_group_id].rules.append(rule)
    return list(found.values())


def rules(connection: Connection) -> list[objects.SecurityGroupRule]:
    query = sa.select(*_RULE).order_by(security_group_rules.c.id)
    return [objects.SecurityGroupRule(*row) for row in connection.execute(query)]


def find(connection: Connection, project_id: str, name_or_id: str) -> objects.SecurityGroup | None:
    """The project's group of that id, or else of that name."""
    own = [group for group in list_(connection, project_id) if name_or_id in (group.id, group.name)]
    return next((group for group in own if group.id == name_or_id), own[0] if own else None)


def get(connection: Connection, group_id: str) -> objects.SecurityGroup | None:
    row = connection.execute(sa.select(*_GROUP).where(security_groups.c.id == group_id)).one_or_none()
    if row is None:
        return None
    own = sa.select(*_RULE).where(security_group_rules.c.security_group_id == group_id)
    found = connection.execute(own.order_by(security_group_rules.c.id))
    group = objects.SecurityGroup(*row)
    group.rules += [objects.SecurityGroupRule(*rule) for rule in found]
    return group


def get_rule(connection: Connection, rule_id: str) -> objects.SecurityGroupRule | None:
    """With its group's project."""
    query = sa.select(*_RULE, security_groups.c.project_id).join(
        security_groups, security_groups.c.id == security_group_rules.c.security_group_id
    )
    row = connection.execute(query.where(security_group_rules.c.id == rule_id)).one_or_none()
    return objects.SecurityGroupRule(*row) if row is not None else None


def update(connection: Connection, group_id: str, values: dict[str, Any]) -> None:
    """IntegrityError when another group of the project has the name."""
    connection.execute(sa.update(security_groups).where(security_groups.c.id == group_id).values(**values))


def insert(connection: Connection, project_id: str, name: str, description: str) -> objects.SecurityGroup:
    """A group that lets everything out and nothing in; the default one lets its own members in."""
    group = objects.SecurityGroup(str(uuidlib.uuid4()), project_id, name, description, now())
    columns = ("id", "project_id", "name", "description", "created_at")
    connection.execute(sa.insert(security_groups), {column: getattr(group, column) for column in columns})
    insert_rule(connection, objects.SecurityGroupRule(str(uuidlib.uuid4()), group.id, "egress"))
    if name == DEFAULT:
        members = objects.SecurityGroupRule(str(uuidlib.uuid4()), group.id, "ingress", remote_group_id=group.id)
        insert_rule(connection, members)
    return group


def insert_rule(connection: Connection, rule: objects.SecurityGroupRule) -> None:
    connection.execute(sa.insert(security_group_rules), {name: getattr(rule, name) for name in _RULE_FIELDS})


def delete_rule(connection: Connection, rule_id: str) -> bool:
    """False when there was none."""
    query = sa.delete(security_group_rules).where(security_group_rules.c.id == rule_id)
    return connection.execute(query).rowcount == 1


def bind(connection: Connection, group_id: str, port_ids: Iterable[str]) -> None:
    """Put ports into a group that they are not in yet."""
    rows = [{"port_id": port_id, "security_group_id": group_id} for port_id in port_ids]
    if rows:
        connection.execute(sa.insert(port_security_groups), rows)


def unbind(connection: Connection, group_id: str, port_ids: Iterable[str]) -> None:
    columns = port_security_groups.c
    query = sa.delete(port_security_groups).where(
        columns.security_group_id == group_id, columns.port_id.in_(list(port_ids))
    )
    connection.execute(query)


def is_used(connection: Connection, group_id: str) -> bool:
    """Whether a port has it."""
    in_ports = sa.exists().where(port_security_groups.c.security_group_id == group_id)
    return bool(connection.execute(sa.select(in_ports)).scalar_one())


def delete(connection: Connection, group_id: str) -> None:
    """With its rules, and those of other groups that let its members in or out."""
    columns = security_group_rules.c
    own_or_naming = sa.or_(columns.security_group_id == group_id, columns.remote_group_id == group_id)
    connection.execute(sa.delete(security_group_rules).where(own_or_naming))
    connection.execute(sa.delete(security_groups).where(security_groups.c.id == group_id))


def names(connection: Connection, project_id: str, wanted: Iterable[str]) -> dict[str, str | None]:
    """id by name or id as asked for; None where the project has no such group."""
    own = list_(connection, project_id)
    by_name = {group.name: group.id for group in own} | {group.id: group.id for group in own}
    return {name: by_name.get(name) for name in wanted}
