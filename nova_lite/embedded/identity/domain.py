"""The one domain there is, and users as requests name them in it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nova_lite.db import identity as db_identity
from nova_lite.db.engine import Connection
from nova_lite.embedded.identity.records import User

DOMAIN_ID, DOMAIN_NAME = "default", "Default"


def is_foreign(domain_id: str | None, domain_name: str | None) -> bool:
    """Whether a domain is named that is not the one there is."""
    return (domain_id or DOMAIN_ID) != DOMAIN_ID or (domain_name or DOMAIN_NAME).lower() != DOMAIN_NAME.lower()


def user_shown(connection: Connection, params: Mapping[str, Any], prefix: str) -> User | None:
    """Whom ``<prefix>_id``, or ``<prefix>_name`` and ``<prefix>_domain_…``, name."""
    if f"{prefix}_id" in params:
        return db_identity.get(connection, User, params[f"{prefix}_id"])
    if is_foreign(params.get(f"{prefix}_domain_id"), params.get(f"{prefix}_domain_name")):
        return None
    return db_identity.named(connection, User, params.get(f"{prefix}_name", ""))
