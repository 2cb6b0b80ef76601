"""Rows of ``quotas`` and ``quota_classes``: limits that differ from the configured ones."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite.db.tables import quota_classes, quotas

_OF_PROJECT = sa.select(quotas.c.user_id, quotas.c.resource, quotas.c.hard_limit).where(
    quotas.c.project_id == sa.bindparam("project_id")
)
_OF_CLASS = sa.select(quota_classes.c.resource, quota_classes.c.hard_limit).where(
    quota_classes.c.class_name == sa.bindparam("class_name")
)


def of_project(connection: Connection, project_id: str) -> dict[str, dict[str, int]]:
    """{user: {resource: limit}} of a project; the user "" is the project itself."""
    found: dict[str, dict[str, int]] = {}
    for user_id, resource, limit in connection.execute(_OF_PROJECT, {"project_id": project_id}):
        found.setdefault(user_id, {})[resource] = limit
    return found


def of_class(connection: Connection, class_name: str) -> dict[str, int]:
    """{resource: limit} of a quota class; empty for one that nobody has set."""
    return {row.resource: row.hard_limit for row in connection.execute(_OF_CLASS, {"class_name": class_name})}


def set_limits(connection: Connection, project_id: str, user_id: str, limits: dict[str, int]) -> None:
    """Write limits of a project, or of a user in it; the others stay."""
    if not limits:
        return
    own = (quotas.c.project_id == project_id) & (quotas.c.user_id == user_id)
    connection.execute(sa.delete(quotas).where(own & quotas.c.resource.in_(limits)))
    key = {"project_id": project_id, "user_id": user_id}
    connection.execute(
        sa.insert(quotas), [key | {"resource": name, "hard_limit": limit} for name, limit in limits.items()]
    )


def set_class(connection: Connection, class_name: str, limits: dict[str, int]) -> None:
    """Write limits of a quota class; the others stay."""
    if not limits:
        return
    own = quota_classes.c.class_name == class_name
    connection.execute(sa.delete(quota_classes).where(own & quota_classes.c.resource.in_(limits)))
    connection.execute(
        sa.insert(quota_classes),
        [{"class_name": class_name, "resource": name, "hard_limit": limit} for name, limit in limits.items()],
    )


def delete(connection: Connection, project_id: str, user_id: str | None) -> None:
    """Forget the limits of a user in a project; without a user those of the project and of everyone in it."""
    query = sa.delete(quotas).where(quotas.c.project_id == project_id)
    connection.execute(query if user_id is None else query.where(quotas.c.user_id == user_id))
