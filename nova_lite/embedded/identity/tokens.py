"""Tokens: who, in which project, until when, encrypted. Roles are looked up when a token is used, not when it is made.

After Keystone's Fernet tokens: nothing is stored for a token but that it was revoked.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from nova_lite.api.auth import expand_roles
from nova_lite.context import RequestContext
from nova_lite.db import identity as db_identity
from nova_lite.db.engine import Database
from nova_lite.embedded.identity.fernet_keys import FernetKeys
from nova_lite.embedded.identity.records import ApplicationCredential, Project, Role, User

#: Seconds for which what a token stands for is remembered: a revocation is in force everywhere after them.
REMEMBERED = 1.0
_MOST_REMEMBERED = 4096


@dataclass(frozen=True)
class Token:
    """A token that is good now. ``project`` is None for one that is good for nothing but choosing a project."""

    user: User
    project: Project | None
    roles: tuple[Role, ...]
    methods: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    audit_ids: tuple[str, ...]
    credential: ApplicationCredential | None = None  # that it was asked for with

    def context(self, request_id: str, global_request_id: str | None) -> RequestContext:
        return RequestContext(
            user_id=self.user.id,
            user_name=self.user.name,
            project_id=self.project.id if self.project else None,
            project_name=self.project.name if self.project else None,
            roles=[role.name for role in self.roles],
            request_id=request_id,
            global_request_id=global_request_id,
        )


class Tokens:
    """Makes them and looks at them."""

    def __init__(self, database: Database, keys: FernetKeys, seconds: int) -> None:
        """:param seconds: how long a token is good."""
        self._database, self._keys, self._lifetime = database, keys, timedelta(seconds=seconds)
        self._remembered: dict[str, tuple[float, Token]] = {}
        self._lock = threading.Lock()

    def issue(
        self,
        user: User,
        project: Project | None,
        methods: tuple[str, ...],
        parent: Token | None = None,
        credential: ApplicationCredential | None = None,
    ) -> tuple[str, Token]:
        """A new token and what it stands for.

        :param parent: the token that it was asked for with: it ends no later than that.
        :param credential: likewise; and it has no other roles.
        """
        issued = datetime.now(UTC)
        ends = [held.expires_at for held in (parent, credential) if held is not None and held.expires_at is not None]
        expires = min([issued + self._lifetime, *ends])
        audit_ids = (secrets.token_urlsafe(16), *(parent.audit_ids[-1:] if parent else ()))
        methods = tuple(dict.fromkeys((*methods, *(parent.methods if parent else ()))))
        claims = [user.id, project.id if project else None, methods, issued.isoformat(), expires.isoformat(), audit_ids]
        if credential is not None:
            claims.append(credential.id)
        with self._database.read() as connection:
            roles = effective_roles(connection, user.id, project.id, credential) if project else ()
        return self._keys.encrypt(orjson.dumps(claims)), Token(
            user, project, roles, methods, issued, expires, audit_ids, credential
        )

    def find(self, text: str) -> Token | None:
        """What a token stands for; None when it is none of ours, has ended, was revoked, or its user is no more."""
        now = time.monotonic()
        known = self._remembered.get(text)
        if known is not None and known[0] > now and known[1].expires_at > datetime.now(UTC):
            return known[1]
        found = self._look_up(text)
        with self._lock:
            if found is None:
                self._remembered.pop(text, None)
                return None
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[text] = (now + REMEMBERED, found)
        return found

    def revoke(self, token: Token) -> None:
        with self._database.write() as connection:
            db_identity.revoke(connection, token.audit_ids[0], token.expires_at)
        with self._lock:
            self._remembered.clear()

    def _look_up(self, text: str) -> Token | None:
        data = self._keys.decrypt(text) if text.isascii() else None
        if data is None:
            return None
        user_id, project_id, methods, issued_at, expires_at, audit_ids, *bound = orjson.loads(data)
        issued, expires = datetime.fromisoformat(issued_at), datetime.fromisoformat(expires_at)
        if expires <= datetime.now(UTC):
            return None
        with self._database.read() as connection:
            user = db_identity.get(connection, User, user_id)
            project = db_identity.get(connection, Project, project_id) if project_id else None
            if user is None or not user.enabled or user.tokens_valid_after is None:
                return None
            if issued < user.tokens_valid_after or (project_id and (project is None or not project.enabled)):
                return None
            if db_identity.is_revoked(connection, audit_ids[0]):
                return None
            credential = db_identity.get(connection, ApplicationCredential, bound[0]) if bound else None
            if bound and credential is None:
                return None
            roles = effective_roles(connection, user_id, project_id, credential) if project_id else ()
        if project_id and not roles:
            return None
        return Token(user, project, roles, tuple(methods), issued, expires, tuple(audit_ids), credential)


def effective_roles(
    connection: db_identity.Connection, user_id: str, project_id: str, credential: ApplicationCredential | None = None
) -> tuple[Role, ...]:
    """The roles assigned and those that they imply, where such are kept; those of them that ``credential`` has."""
    assigned = db_identity.roles_of(connection, user_id, project_id)
    known = {role.name: role for role in assigned}
    names = expand_roles([role.name for role in assigned])
    for name in names:
        if name not in known and (role := db_identity.named(connection, Role, name)) is not None:
            known[name] = role
    found = (known[name] for name in names if name in known)
    return tuple(role for role in found if credential is None or role.id in credential.role_ids)
