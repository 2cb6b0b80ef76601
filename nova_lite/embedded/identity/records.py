"""What the embedded Identity service keeps: users, projects, roles, application credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass
class Project:
    id: str
    name: str
    description: str = ""
    enabled: bool = True
    tags: list[str] = field(default_factory=list)

    def policy_target(self) -> dict[str, object]:
        return {"project_id": self.id}


@dataclass
class User:
    """``tokens_valid_after``: tokens issued earlier do not count; None only before the user is stored."""

    id: str
    name: str
    password_hash: str | None = field(default=None, repr=False)
    enabled: bool = True
    email: str | None = None
    description: str | None = None
    default_project_id: str | None = None
    tokens_valid_after: datetime | None = None

    def policy_target(self) -> dict[str, object]:
        return {"user_id": self.id}


@dataclass
class Role:
    id: str
    name: str
    description: str | None = None

    def policy_target(self) -> dict[str, object] | None:
        return None


@dataclass
class ApplicationCredential:
    """What a program logs in with in place of a user: to one project, with at most these roles.

    ``unrestricted``: its tokens may make and delete application credentials.
    """

    id: str
    name: str
    user_id: str
    project_id: str
    secret_hash: str = field(repr=False)
    role_ids: list[str]
    description: str | None = None
    expires_at: datetime | None = None
    unrestricted: bool = False
