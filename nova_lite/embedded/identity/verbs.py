"""What can be done with users, projects, roles and tokens. There is one domain, ``default``."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

import sqlalchemy as sa

from nova_lite import exceptions
from nova_lite.db import identity as db_identity
from nova_lite.db.engine import Connection, Database
from nova_lite.db.times import now
from nova_lite.embedded.identity import passwords
from nova_lite.embedded.identity.application_credentials import ApplicationCredentials
from nova_lite.embedded.identity.domain import is_foreign, user_shown
from nova_lite.embedded.identity.records import Project, Role, User
from nova_lite.embedded.identity.tokens import Token, Tokens, effective_roles

Record = TypeVar("Record", Project, Role, User)


class Identity:
    """One per process, shared by its threads."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self.database, self.tokens = database, tokens
        self.credentials = ApplicationCredentials(database)

    # -- authentication --------------------------------------------------------------------------------------

    def authenticate(self, params: Mapping[str, Any]) -> tuple[str, Token]:
        """A token for who shows a password or another token.

        :param params: ``methods``; ``user_id`` or ``user_name`` with ``password``; ``token``; ``credential_…`` of an
            application credential; ``scope``.
        :raises Unauthorized: wrong, switched off, without a role in the project.
        :raises Invalid: what a method needs is not there, or a domain for a name.
        :raises NotFound: the token shown is none.
        :raises Forbidden: it is an application credential's.
        """
        methods = tuple(dict.fromkeys(params["methods"]))
        parent = None
        if "token" in methods:
            parent = self.tokens.find(params.get("token") or "")
            if parent is None:
                raise exceptions.NotFound("Could not find token.")
            if parent.credential is not None:
                raise exceptions.Forbidden("Using a delegated token to create another token is not allowed.")
        user = parent.user if parent else None
        if "password" in methods:
            if "password" not in params:
                raise exceptions.Invalid("Expecting to find password in identity.")
            if not params.keys() & {"user_id", "user_domain_id", "user_domain_name"}:
                raise exceptions.Invalid("Expecting to find domain in user.")
            shown = self._by_password(params)
            if user is not None and shown.id != user.id:
                raise exceptions.Unauthorized()
            user = shown
        credential = None
        if "application_credential" in methods:
            user, credential = self.credentials.authenticate(params)
        if user is None:
            raise exceptions.Unauthorized("Attempted to authenticate with an unsupported method.")
        scope = params.get("scope")
        if credential is not None:
            if scope is not None:
                raise exceptions.Unauthorized("Application credentials cannot request a scope.")
            scope = {"project": {"id": credential.project_id}}
        project = self._scope(scope, user)
        return self.tokens.issue(user, project, methods, parent, credential)

    def _by_password(self, params: Mapping[str, Any]) -> User:
        with self.database.read() as connection:
            user = user_shown(connection, params, "user")
        right = passwords.matches(params.get("password", ""), user.password_hash if user else None)
        if user is None or not right or not user.enabled:
            raise exceptions.Unauthorized()
        return user

    def _scope(self, scope: Any, user: User) -> Project | None:
        """The project that is asked for: the user's own if none is, None for "unscoped"."""
        with self.database.read() as connection:
            if scope is None:
                project = db_identity.get(connection, Project, user.default_project_id or "")
                if project is None or not project.enabled:
                    return None
                return project if db_identity.roles_of(connection, user.id, project.id) else None
            if scope == "unscoped":
                return None
            if "project" not in scope:
                raise exceptions.Unauthorized("There are no roles on domains or the system here: ask for a project.")
            wanted = scope["project"]
            if "id" in wanted:
                project = db_identity.get(connection, Project, wanted["id"])
            else:
                domain = wanted.get("domain") or {}
                if not domain.get("id") and not domain.get("name"):
                    raise exceptions.Invalid("Expecting to find domain in project.")
                project = db_identity.named(connection, Project, wanted.get("name", ""))
                if is_foreign(domain.get("id"), domain.get("name")):
                    project = None
            if project is None or not project.enabled or not db_identity.roles_of(connection, user.id, project.id):
                raise exceptions.Unauthorized("You have no role in that project, or there is none of that name.")
            return project

    def change_password(self, user: User, original: str, password: str) -> None:
        """Ends all tokens of the user. Unauthorized when ``original`` is not the present one."""
        if not passwords.matches(original, user.password_hash):
            raise exceptions.Unauthorized()
        self.update(user, {"password": password})

    # -- users, projects, roles ------------------------------------------------------------------------------

    def get(self, kind: type[Record], identifier: str) -> Record:
        """NotFound in Keystone's words."""
        with self.database.read() as connection:
            return found(connection, kind, identifier)

    def list_(self, kind: type[Record], filters: Mapping[str, Any]) -> list[Record]:
        with self.database.read() as connection:
            return db_identity.list_(connection, kind, filters)

    def create(self, kind: type[Record], values: Mapping[str, Any]) -> Record:
        """Conflict when the name is taken."""
        values = {"id": uuid.uuid4().hex, **values}
        if kind is User:
            values = _with_hash(values) | {"tokens_valid_after": now()}
        record = kind(**values)
        try:
            with self.database.write() as connection:
                db_identity.insert(connection, record)
        except sa.exc.IntegrityError as error:
            raise _taken(kind, record.name) from error
        return record

    def update(self, record: Record, values: Mapping[str, Any]) -> Record:
        """Only what ``values`` hold. A new password or ``enabled`` false ends a user's tokens."""
        if isinstance(record, User) and ("password" in values or values.get("enabled") is False):
            values = {**_with_hash(values), "tokens_valid_after": now()}
        try:
            with self.database.write() as connection:
                if values:
                    db_identity.update(connection, type(record), record.id, values)
                return found(connection, type(record), record.id)
        except sa.exc.IntegrityError as error:
            raise _taken(type(record), str(values.get("name"))) from error

    def delete(self, record: Project | Role | User) -> None:
        """With its assignments; tokens that need it end. What other services keep of a project stays."""
        with self.database.write() as connection:
            db_identity.delete(connection, type(record), record.id)

    # -- who has which role where ----------------------------------------------------------------------------

    def roles_of(self, project: Project, user_id: str) -> list[Role]:
        with self.database.read() as connection:
            found(connection, User, user_id)
            return db_identity.roles_of(connection, user_id, project.id)

    def projects_of(self, user_id: str) -> list[Project]:
        with self.database.read() as connection:
            return [project for project in db_identity.projects_of(connection, user_id) if project.enabled]

    def assignments(self, filters: Mapping[str, str], effective: bool = False) -> list[tuple[User, Project, Role]]:
        """:param effective: with the roles that those which were given imply."""
        with self.database.read() as connection:
            if not effective:
                return db_identity.assignments(connection, filters)
            given = db_identity.assignments(
                connection, {name: value for name, value in filters.items() if name != "role_id"}
            )
            holders = {(user.id, project.id): (user, project) for user, project, _ in given}
            return [
                (user, project, role)
                for (user, project) in holders.values()
                for role in effective_roles(connection, user.id, project.id)
                if filters.get("role_id", role.id) == role.id
            ]

    def assign(self, project: Project, user_id: str, role_id: str) -> None:
        with self.database.write() as connection:
            found(connection, User, user_id), found(connection, Role, role_id)
            db_identity.assign(connection, user_id, project.id, role_id)

    def unassign(self, project: Project, user_id: str, role_id: str) -> None:
        with self.database.write() as connection:
            if not db_identity.unassign(connection, user_id, project.id, role_id):
                raise _no_assignment(project, user_id, role_id)

    def check_assignment(self, project: Project, user_id: str, role_id: str) -> None:
        """NotFound when the user does not have the role there."""
        if role_id not in [role.id for role in self.roles_of(project, user_id)]:
            raise _no_assignment(project, user_id, role_id)


def found(connection: Connection, kind: type[Record], identifier: str) -> Record:
    record = db_identity.get(connection, kind, identifier)
    if record is None:
        raise exceptions.NotFound(f"Could not find {kind.__name__.lower()}: {identifier[:255]}.")
    return record


def _no_assignment(project: Project, user_id: str, role_id: str) -> exceptions.NotFound:
    return exceptions.NotFound(
        f"Could not find role assignment with role: {role_id[:255]}, user or group: {user_id[:255]}, project, domain, "
        f"or system: {project.id}."
    )


def _taken(kind: type, name: str) -> exceptions.Conflict:
    what = kind.__name__.lower()
    return exceptions.Conflict(
        f"Conflict occurred attempting to store {what} - Duplicate entry found with name {name}."
    )


def _with_hash(values: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: value for name, value in values.items() if name != "password"}
    if "password" in values:
        password = values["password"]
        rest["password_hash"] = passwords.hashed(password) if password is not None else None
    return rest
