"""Application credentials: made, shown and deleted by the users whom they stand for, and logged in with by programs."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from nova_lite import exceptions
from nova_lite.db import identity as db_identity
from nova_lite.db.engine import Connection, Database
from nova_lite.embedded.identity import passwords
from nova_lite.embedded.identity.domain import user_shown
from nova_lite.embedded.identity.records import ApplicationCredential, Role, User
from nova_lite.embedded.identity.tokens import effective_roles


class ApplicationCredentials:
    """Safe for several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, user: User, project_id: str | None, values: Mapping[str, Any]
    ) -> tuple[ApplicationCredential, list[Role], str]:
        """What was made, its roles, and the secret, which is kept nowhere.

        :param project_id: the project of the token that asks.
        :param values: ``name``; ``secret``, ``description``, ``expires_at``, ``unrestricted`` and ``roles``
            ([{"id"} or {"name"}], all of the user's there when absent).
        :raises Invalid: no project, a time that is none or past, a role that the user does not have there.
        :raises Conflict: the user has one of that name.
        """
        if project_id is None:
            raise exceptions.Invalid("An application credential is for a project: use a token that is scoped to one.")
        secret = values.get("secret") or secrets.token_urlsafe(64)
        with self._database.write() as connection:
            roles = self._roles(connection, user, project_id, values.get("roles"))
            made = ApplicationCredential(
                id=uuid.uuid4().hex,
                name=values["name"],
                user_id=user.id,
                project_id=project_id,
                secret_hash=passwords.hashed(secret),
                role_ids=[role.id for role in roles],
                description=values.get("description"),
                expires_at=_moment(values.get("expires_at")),
                unrestricted=bool(values.get("unrestricted")),
            )
            try:
                db_identity.insert(connection, made)
            except sa.exc.IntegrityError as error:
                raise exceptions.Conflict(
                    "Conflict occurred attempting to store application_credential - Duplicate entry found with name "
                    f"{made.name}."
                ) from error
        return made, roles, secret

    @staticmethod
    def _roles(connection: Connection, user: User, project_id: str, wanted: list[dict[str, Any]] | None) -> list[Role]:
        held = effective_roles(connection, user.id, project_id)
        if not held:
            raise exceptions.Invalid("The user has no role in the project of the token.")
        if not wanted:
            return list(held)
        found = {role.id: role for role in held for named in wanted if named in ({"id": role.id}, {"name": role.name})}
        if len(found) < len({str(named) for named in wanted}):
            raise exceptions.Invalid(
                "Invalid application credential: Could not find role assignment with one of the roles in the project."
            )
        return list(found.values())

    def list_(self, user: User, name: str | None) -> list[tuple[ApplicationCredential, list[Role]]]:
        filters = {"user_id": user.id} | ({"name": name} if name is not None else {})
        with self._database.read() as connection:
            return [
                (found, _roles_of(connection, found))
                for found in db_identity.list_(connection, ApplicationCredential, filters)
            ]

    def get(self, user: User, credential_id: str) -> tuple[ApplicationCredential, list[Role]]:
        """:raises NotFound: the user has none of that id."""
        with self._database.read() as connection:
            found = db_identity.get(connection, ApplicationCredential, credential_id)
            if found is None or found.user_id != user.id:
                raise exceptions.NotFound(f"Could not find Application Credential: {credential_id[:255]}.")
            return found, _roles_of(connection, found)

    def delete(self, user: User, credential_id: str) -> None:
        """Its tokens end. Raises NotFound."""
        found, _ = self.get(user, credential_id)
        with self._database.write() as connection:
            db_identity.delete(connection, ApplicationCredential, found.id)

    def authenticate(self, params: Mapping[str, Any]) -> tuple[User, ApplicationCredential]:
        """Who shows the secret of one.

        :param params: ``credential_id``, or ``credential_name`` and ``credential_user_…``; ``credential_secret``.
        :raises Invalid: a name, and not whose.
        :raises Unauthorized: there is none, or it has expired, or the secret is another.
        """
        with self._database.read() as connection:
            if "credential_id" in params:
                found = db_identity.get(connection, ApplicationCredential, params["credential_id"])
            else:
                if not params.keys() & {"credential_user_id", "credential_user_name"}:
                    raise exceptions.Invalid("Expecting to find user in application credential.")
                owner = user_shown(connection, params, "credential_user")
                named = {"user_id": owner.id if owner else "", "name": params.get("credential_name", "")}
                found = next(iter(db_identity.list_(connection, ApplicationCredential, named)), None)
            user = db_identity.get(connection, User, found.user_id) if found else None
        right = passwords.matches(params.get("credential_secret", ""), found.secret_hash if found else None)
        if found is None or user is None or not right or not user.enabled:
            raise exceptions.Unauthorized()
        if found.expires_at is not None and found.expires_at <= datetime.now(UTC):
            raise exceptions.Unauthorized()
        return user, found


def _roles_of(connection: Connection, credential: ApplicationCredential) -> list[Role]:
    found = (db_identity.get(connection, Role, role_id) for role_id in credential.role_ids)
    return [role for role in found if role is not None]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise exceptions.Invalid(f"expires_at: '{text[:80]}' is no ISO 8601 time.") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment <= datetime.now(UTC):
        raise exceptions.Invalid("expires_at: it must be in the future.")
    return moment
