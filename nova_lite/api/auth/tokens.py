"""The token file: who may call the API without Keystone; only hashes are kept.

A token is ``nlt_<id>_<secret>``. Its 256 random bits cannot be guessed, so one round of SHA-256 protects the
file as well as a slow password hash would, and a request pays microseconds instead of the 50 ms of scrypt.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import hmac
import logging
import os
import re
import secrets
import stat
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import yaml

from nova_lite import exceptions

LOG = logging.getLogger(__name__)

PREFIX = "nlt_"  # no Fernet token begins so: those begin with gAAAA
PROJECT_ID = re.compile(r"[0-9a-f-]{1,64}\Z")  # Nova takes nothing else as the project id in a URL
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,255}\Z")
_ROLE = re.compile(r"[A-Za-z0-9_.:-]{1,255}\Z")
_HASH = re.compile(r"sha256:[0-9a-f]{64}\Z")
_ID = re.compile(r"[0-9a-f]{12}\Z")
_TOKEN = re.compile(PREFIX + r"([0-9a-f]{12})_[A-Za-z0-9_-]{43}\Z")
_FIELDS = {
    "id",
    "hash",
    "user_id",
    "user_name",
    "project_id",
    "project_name",
    "roles",
    "created_at",
    "expires_at",
    "description",
}


class TokenFileError(exceptions.NovaLiteError):
    """The file cannot be used; the message names the entry and the field."""


@dataclass(frozen=True)
class TokenRecord:
    """One token's owner. ``hash`` is ``sha256:`` and the whole token's digest; times are aware, in UTC."""

    id: str
    hash: str = field(repr=False)
    user_id: str
    user_name: str
    project_id: str
    project_name: str
    roles: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    description: str | None = None

    def expired(self, now: datetime | None = None) -> bool:
        return self.expires_at is not None and self.expires_at <= (now or datetime.now(UTC))


class TokenFile:
    """The tokens in one YAML file, followed as it changes. Safe for several threads and processes.

    :param check_interval: seconds between two looks at the file; a token that is not known looks at once.
    """

    def __init__(self, path: str | os.PathLike[str], check_interval: float = 1.0) -> None:
        self.path = Path(path)
        self._check_interval = check_interval
        self._records: Mapping[str, TokenRecord] = {}
        self._seen: tuple[int, int, int] | None = None
        self._next_check = 0.0
        self._lock = threading.Lock()

    def lookup(self, token: str) -> TokenRecord | None:
        """The owner of ``token``; None when it is malformed, unknown, revoked or expired."""
        match = _TOKEN.match(token)
        if match is None:
            return None
        if time.monotonic() >= self._next_check or match[1] not in self._records:
            self._follow()
        record = self._records.get(match[1])
        # The comparison is made for an unknown id as well, so that both answers take the same time.
        known = hmac.compare_digest(_hash(token), record.hash if record else _NO_HASH)
        return record if record is not None and known and not record.expired() else None

    def list(self) -> list[TokenRecord]:
        """Every record, expired ones too, oldest first. Raises TokenFileError when the file is broken."""
        return sorted(self._read().values(), key=lambda record: record.created_at)

    def create(
        self,
        *,
        user_id: str,
        project_id: str,
        roles: Iterable[str],
        user_name: str | None = None,
        project_name: str | None = None,
        expires_at: datetime | None = None,
        description: str | None = None,
    ) -> tuple[str, TokenRecord]:
        """Add a token and return it with its record; it is not kept anywhere and cannot be shown again."""
        token_id = secrets.token_hex(6)
        token = f"{PREFIX}{token_id}_{secrets.token_urlsafe(32)}"
        entry = {
            "id": token_id,
            "hash": _hash(token),
            "user_id": user_id,
            "user_name": user_name or user_id,
            "project_id": project_id,
            "project_name": project_name or project_id,
            "roles": list(roles),
            "created_at": datetime.now(UTC).replace(microsecond=0),
            "expires_at": expires_at,
            "description": description,
        }
        record = _record(entry, "the new token")
        with self._exclusively():
            records = dict(self._read())
            records[record.id] = record
            self._write(records.values())
        return token, record

    def revoke(self, token_id: str) -> TokenRecord:
        """Remove one token; running workers refuse it within a second. Raises NotFound."""
        with self._exclusively():
            records = dict(self._read())
            record = records.pop(token_id, None)
            if record is None:
                raise exceptions.NotFound(f"No token has the id {token_id!r}. See `nova-lite token list`.")
            self._write(records.values())
        return record

    def _follow(self) -> None:
        """Read the file again if it has changed; a broken one leaves the last good records in force."""
        with self._lock:
            self._next_check = time.monotonic() + self._check_interval
            try:
                status = os.stat(self.path)
            except FileNotFoundError:
                if self._records:
                    LOG.warning("The token file %s is gone: no token is valid now", self.path)
                self._records, self._seen = {}, None
                return
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            self._seen = seen
            try:
                self._records = self._read()
            except TokenFileError as error:
                LOG.error("%s The tokens read before stay valid.", error)

    def _read(self) -> Mapping[str, TokenRecord]:
        try:
            with open(self.path, "rb") as file:
                if os.fstat(file.fileno()).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    raise TokenFileError(f"Others may write {self.path}: run `chmod 600 {self.path}`.")
                document = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise TokenFileError(f"{self.path} cannot be read: {' '.join(str(error).split())}.") from error
        entries = document.get("tokens") if isinstance(document, dict) and len(document) == 1 else None
        if not isinstance(entries, list):
            raise TokenFileError(f"{self.path} must hold one key, 'tokens', with a list.")
        records: dict[str, TokenRecord] = {}
        for number, entry in enumerate(entries, start=1):
            record = _record(entry, f"{self.path}, token {number}")
            if record.id in records:
                raise TokenFileError(f"{self.path}, token {number}: id {record.id} is there twice.")
            records[record.id] = record
        return records

    def _write(self, records: Iterable[TokenRecord]) -> None:
        """Replace the file in one step: a reader sees the old or the new one, never a half."""
        tokens = [
            {name: _plain(value) for name, value in vars(record).items() if value is not None}
            for record in sorted(records, key=lambda record: record.created_at)
        ]
        descriptor, temporary = tempfile.mkstemp(dir=self.path.parent, prefix=".tokens-")  # mode 0600
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write("# Written by `nova-lite token`. Hashes only: a lost token is replaced.\n")
                yaml.safe_dump({"tokens": tokens}, file, sort_keys=False, allow_unicode=True)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Two changes at once must not lose one. The folder itself is locked: no lock file is left."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise TokenFileError(f"There is no folder {self.path.parent}.") from error
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _hash(token: str) -> str:
    return "sha256:" + hashlib.sha256(token.encode()).hexdigest()


def _plain(value: object) -> object:
    """The form in which YAML holds a field's value."""
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


_NO_HASH = "sha256:" + "-" * 64


def _record(entry: object, where: str) -> TokenRecord:
    """Check one entry of the file. Raises TokenFileError that names the field."""
    if not isinstance(entry, dict):
        raise TokenFileError(f"{where} must be a mapping.")
    unknown = sorted(str(name) for name in entry.keys() - _FIELDS)
    if unknown:
        raise TokenFileError(f"{where}: unknown field {unknown[0]!r}.")

    def text(name: str, pattern: re.Pattern[str], form: str, default: str | None = None) -> str:
        value = entry.get(name, default)
        if not isinstance(value, str) or not pattern.match(value):
            raise TokenFileError(f"{where}: {name} must be {form}, not {value!r}.")
        return value

    def moment(name: str) -> datetime | None:
        value = entry.get(name)
        try:
            parsed = datetime.fromisoformat(value) if isinstance(value, str) else value
        except ValueError:
            parsed = value
        if parsed is None:
            return None
        if not isinstance(parsed, datetime) or parsed.tzinfo is None:
            form = "a time with a zone, like 2030-01-31T12:00:00Z"
            raise TokenFileError(f"{where}: {name} must be {form}, not {value!r}.")
        return parsed.astimezone(UTC)

    roles = entry.get("roles")
    if not isinstance(roles, list) or not all(isinstance(role, str) and _ROLE.match(role) for role in roles):
        form = "a list of names (letters, digits and . _ : -)"
        raise TokenFileError(f"{where}: roles must be {form}, not {roles!r}.")
    description = entry.get("description")
    if description is not None and not isinstance(description, str):
        raise TokenFileError(f"{where}: description must be text, not {description!r}.")
    name_form = "a text of 1 to 255 characters"
    user_id = text("user_id", _NAME, name_form)
    project_id = text("project_id", PROJECT_ID, "1 to 64 of the characters 0-9, a-f and -")
    created_at = moment("created_at")
    if created_at is None:
        raise TokenFileError(f"{where}: created_at is missing.")
    return TokenRecord(
        id=text("id", _ID, "12 hexadecimal digits"),
        hash=text("hash", _HASH, "'sha256:' and 64 hexadecimal digits"),
        user_id=user_id,
        user_name=text("user_name", _NAME, name_form, user_id),
        project_id=project_id,
        project_name=text("project_name", _NAME, name_form, project_id),
        roles=tuple(roles),
        created_at=created_at,
        expires_at=moment("expires_at"),
        description=description,
    )
