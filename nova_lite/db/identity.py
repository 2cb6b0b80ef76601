"""Rows of the embedded Identity service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite.db.tables import (
    identity_application_credentials,
    identity_assignments,
    identity_projects,
    identity_revocations,
    identity_roles,
    identity_users,
)
from nova_lite.db.times import now
from nova_lite.embedded.identity.records import ApplicationCredential, Project, Role, User

Record = TypeVar("Record", ApplicationCredential, Project, Role, User)
_TABLES: dict[type, sa.Table] = {
    ApplicationCredential: identity_application_credentials,
    Project: identity_projects,
    Role: identity_roles,
    User: identity_users,
}


def get(connection: Connection, kind: type[Record], identifier: str) -> Record | None:
    """By id."""
    table = _TABLES[kind]
    row = connection.execute(sa.select(table).where(table.c.id == identifier)).one_or_none()
    return kind(**row._mapping) if row is not None else None


def named(connection: Connection, kind: type[Record], name: str) -> Record | None:
    table = _TABLES[kind]
    row = connection.execute(sa.select(table).where(table.c.name == name)).one_or_none()
    return kind(**row._mapping) if row is not None else None


def list_(connection: Connection, kind: type[Record], filters: Mapping[str, Any]) -> list[Record]:
    """All of a kind whose columns have these values, by name."""
    table = _TABLES[kind]
    query = sa.select(table).where(*(table.c[name] == value for name, value in filters.items()))
    return [kind(**row._mapping) for row in connection.execute(query.order_by(table.c.name))]


def insert(connection: Connection, record: ApplicationCredential | Project | Role | User) -> None:
    """Raises IntegrityError when the name is taken."""
    connection.execute(sa.insert(_TABLES[type(record)]), asdict(record))


def update(connection: Connection, kind: type, identifier: str, values: Mapping[str, Any]) -> None:
    """Raises IntegrityError when the name is taken."""
    table = _TABLES[kind]
    connection.execute(sa.update(table).where(table.c.id == identifier).values(**values))


def delete(connection: Connection, kind: type, identifier: str) -> None:
    """With its assignments."""
    table = _TABLES[kind]
    connection.execute(sa.delete(table).where(table.c.id == identifier))


def roles_of(connection: Connection, user_id: str, project_id: str) -> list[Role]:
    """The roles that are assigned, without those that they imply."""
    query = (
        sa.select(identity_roles)
        .join(identity_assignments, identity_assignments.c.role_id == identity_roles.c.id)
        .where(identity_assignments.c.user_id == user_id, identity_assignments.c.project_id == project_id)
    )
    return [Role(**row._mapping) for row in connection.execute(query.order_by(identity_roles.c.name))]


def projects_of(connection: Connection, user_id: str) -> list[Project]:
    """The projects in which a user has any role."""
    query = sa.select(identity_projects).where(
        identity_projects.c.id.in_(
            sa.select(identity_assignments.c.project_id).where(identity_assignments.c.user_id == user_id)
        )
    )
    return [Project(**row._mapping) for row in connection.execute(query.order_by(identity_projects.c.name))]


def assignments(connection: Connection, filters: Mapping[str, str]) -> list[tuple[User, Project, Role]]:
    """Who has which role where; ``filters`` by ``user_id``, ``project_id``, ``role_id``."""
    users, projects, roles, joint = identity_users, identity_projects, identity_roles, identity_assignments
    query = (
        sa.select(joint.c.user_id, joint.c.project_id, joint.c.role_id)
        .where(*(joint.c[name] == value for name, value in filters.items()))
        .order_by(joint.c.user_id, joint.c.project_id, joint.c.role_id)
    )
    rows = connection.execute(query).all()
    known = {
        kind: {row.id: kind(**row._mapping) for row in connection.execute(sa.select(table))} if rows else {}
        for kind, table in ((User, users), (Project, projects), (Role, roles))
    }
    return [(known[User][u], known[Project][p], known[Role][r]) for u, p, r in rows]  # type: ignore[misc]


def assign(connection: Connection, user_id: str, project_id: str, role_id: str) -> None:
    """Once is enough: a second time changes nothing."""
    key = {"user_id": user_id, "project_id": project_id, "role_id": role_id}
    table = identity_assignments
    there = sa.select(table.c.user_id).where(*(table.c[name] == value for name, value in key.items()))
    if connection.execute(there).first() is None:
        connection.execute(sa.insert(table), key)


def unassign(connection: Connection, user_id: str, project_id: str, role_id: str) -> bool:
    """False when there was no such assignment."""
    table = identity_assignments
    done = connection.execute(
        sa.delete(table).where(table.c.user_id == user_id, table.c.project_id == project_id, table.c.role_id == role_id)
    )
    return done.rowcount == 1


def revoke(connection: Connection, audit_id: str, expires_at: datetime) -> None:
    """Remember a token until it would have ended by itself; what has ended meanwhile is forgotten."""
    table = identity_revocations
    connection.execute(sa.delete(table).where(table.c.expires_at < now()))
    if connection.execute(sa.select(table.c.audit_id).where(table.c.audit_id == audit_id)).first() is None:
        connection.execute(sa.insert(table), {"audit_id": audit_id, "expires_at": expires_at})


def is_revoked(connection: Connection, audit_id: str) -> bool:
    table = identity_revocations
    return connection.execute(sa.select(table.c.audit_id).where(table.c.audit_id == audit_id)).first() is not None
