"""Rows of ``console_auth_tokens``: who holds the token may use one server's console until it expires.

Only a token's hash is kept. A token is as good as its server: with that deleted, it opens nothing.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite.db.tables import console_auth_tokens, instances
from nova_lite.db.times import now

_TOKEN_BYTES = 32


@dataclass(frozen=True)
class ConsoleAuth:
    """What a token opens."""

    instance_uuid: str
    instance_name: str
    console_type: str
    host: str
    expires_at: datetime


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogateescape")).hexdigest()


def create(
    connection: Connection, instance_uuid: str, console_type: str, host: str, seconds: int
) -> tuple[str, datetime]:
    """A new token and when it expires; expired ones are removed on the way."""
    connection.execute(sa.delete(console_auth_tokens).where(console_auth_tokens.c.expires_at <= now()))
    token, expires_at = secrets.token_urlsafe(_TOKEN_BYTES), now() + timedelta(seconds=seconds)
    row = {
        "token_hash": _hash(token),
        "instance_uuid": instance_uuid,
        "console_type": console_type,
        "host": host,
        "expires_at": expires_at,
    }
    connection.execute(sa.insert(console_auth_tokens), row)
    return token, expires_at


def find(connection: Connection, token: str) -> ConsoleAuth | None:
    """What the token opens; None when it is unknown or expired, or its server is deleted."""
    columns = console_auth_tokens.c
    query = (
        sa.select(
            *(columns.instance_uuid, instances.c.display_name, columns.console_type, columns.host, columns.expires_at)
        )
        .join(instances, instances.c.uuid == columns.instance_uuid)
        .where(columns.token_hash == _hash(token), columns.expires_at > now(), instances.c.deleted == sa.false())
    )
    row = connection.execute(query).one_or_none()
    return ConsoleAuth(*row) if row is not None else None
