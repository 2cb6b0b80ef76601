"""Rows of ``keypairs``."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions, objects
from nova_lite.db.tables import keypairs
from nova_lite.db.times import now

_FIELDS = ("id", "user_id", "name", "type", "public_key", "fingerprint", "created_at")
_SELECT = sa.select(*(keypairs.c[name] for name in _FIELDS))


def get(connection: Connection, user_id: str, name: str) -> objects.Keypair | None:
    query = _SELECT.where(keypairs.c.user_id == user_id, keypairs.c.name == name)
    row = connection.execute(query).one_or_none()
    return objects.Keypair(**dict(zip(_FIELDS, row, strict=True))) if row is not None else None


def list_(
    connection: Connection, user_id: str, limit: int | None, marker: str | None
) -> list[objects.Keypair]:
    """A user's keypairs by name. Invalid for an unknown marker (a name)."""
    query = _SELECT.where(keypairs.c.user_id == user_id)
    if marker is not None:
        if get(connection, user_id, marker) is None:
            raise exceptions.Invalid(f"Marker {marker} could not be found.")
        query = query.where(keypairs.c.name > marker)
    rows = connection.execute(query.order_by(keypairs.c.name).limit(limit))
    return [objects.Keypair(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


def count(connection: Connection, user_id: str) -> int:
    query = sa.select(sa.func.count()).select_from(keypairs).where(keypairs.c.user_id == user_id)
    return int(connection.execute(query).scalar_one())


def insert(connection: Connection, keypair: objects.Keypair) -> None:
    keypair.created_at = now()
    values = {name: getattr(keypair, name) for name in _FIELDS if name != "id"}
    keypair.id = int(connection.execute(sa.insert(keypairs), values).inserted_primary_key[0])  # type: ignore[index]


def delete(connection: Connection, user_id: str, name: str) -> bool:
    """False when there was none."""
    query = sa.delete(keypairs).where(keypairs.c.user_id == user_id, keypairs.c.name == name)
    return connection.execute(query).rowcount == 1
