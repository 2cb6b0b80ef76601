"""Flat dicts of the answers; formats.py gives them their form."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from nova_lite.api import wsgi
from nova_lite.api.times import naive
from nova_lite.embedded.identity.domain import DOMAIN_ID, DOMAIN_NAME
from nova_lite.embedded.identity.records import ApplicationCredential, Project, Role, User
from nova_lite.embedded.identity.tokens import Token

MOUNT = "/identity"
_IDS = uuid.uuid5(uuid.NAMESPACE_DNS, "nova-lite")
_INTERFACES = ("public", "internal", "admin")
DOMAIN = {
    "id": DOMAIN_ID,
    "name": DOMAIN_NAME,
    "description": "The one domain",
    "enabled": True,
    "tags": [],
    "options": {},
}


class Catalog:
    """The services of this cloud and where they are found. ``services``: type → (name, path below the root)."""

    def __init__(self, region: str, services: Mapping[str, tuple[str, str]]) -> None:
        self.region, self._services = region, services

    def services(self) -> list[dict[str, Any]]:
        return [
            {"id": self._id(kind), "type": kind, "name": name, "description": "", "enabled": True}
            for kind, (name, _) in self._services.items()
        ]

    def endpoints(self, root: str) -> list[dict[str, Any]]:
        """:param root: scheme and host under which the caller reaches this cloud."""
        return [
            {
                "id": self._id(kind, interface),
                "service_id": self._id(kind),
                "interface": interface,
                "region": self.region,
                "region_id": self.region,
                "url": root + path,
                "enabled": True,
            }
            for kind, (_, path) in self._services.items()
            for interface in _INTERFACES
        ]

    def catalog(self, root: str) -> list[dict[str, Any]]:
        """As a token shows it."""
        endpoints = self.endpoints(root)
        brief = ("id", "interface", "region", "region_id", "url")
        return [
            {
                **{key: service[key] for key in ("id", "type", "name")},
                "endpoints": [
                    {key: endpoint[key] for key in brief}
                    for endpoint in endpoints
                    if endpoint["service_id"] == service["id"]
                ],
            }
            for service in self.services()
        ]

    @staticmethod
    def _id(*parts: str) -> str:
        return uuid.uuid5(_IDS, ":".join(("catalog", *parts))).hex


def token(found: Token, catalog: Sequence[Mapping[str, Any]] | None) -> dict[str, Any]:
    view: dict[str, Any] = {
        "methods": list(found.methods),
        "user_id": found.user.id,
        "user_name": found.user.name,
        "user_domain_id": DOMAIN_ID,
        "user_domain_name": DOMAIN_NAME,
        "audit_ids": list(found.audit_ids),
        "expires_at": f"{naive(found.expires_at)}Z",
        "issued_at": f"{naive(found.issued_at)}Z",
    }
    if found.project is not None:
        view |= {
            "project_id": found.project.id,
            "project_name": found.project.name,
            "project_domain_id": DOMAIN_ID,
            "project_domain_name": DOMAIN_NAME,
            "is_domain": False,
            "roles": [{"id": role.id, "name": role.name} for role in found.roles],
        }
        if found.credential is not None:
            view |= {
                "credential_id": found.credential.id,
                "credential_name": found.credential.name,
                "restricted": not found.credential.unrestricted,
            }
        if catalog is not None:
            view["catalog"] = list(catalog)
    return view


def user(req: wsgi.Request, found: User) -> dict[str, Any]:
    view = {key: getattr(found, key) for key in ("id", "name", "enabled", "email", "description", "default_project_id")}
    return {key: value for key, value in view.items() if value is not None} | _rest(req, "users", found.id)


def application_credential(req: wsgi.Request, found: ApplicationCredential, roles: list[Role]) -> dict[str, Any]:
    view = {key: getattr(found, key) for key in ("id", "name", "description", "project_id", "user_id", "unrestricted")}
    view["expires_at"] = naive(found.expires_at) if found.expires_at else None
    view["system"] = None
    view["roles"] = [{**asdict(role), "domain_id": None, "options": {}} for role in roles]
    path = f"users/{found.user_id}/application_credentials/{found.id}"
    return view | {"links": {"self": url(req, path)}}


def project(req: wsgi.Request, found: Project) -> dict[str, Any]:
    return {**asdict(found), "parent_id": DOMAIN_ID, "is_domain": False} | _rest(req, "projects", found.id)


def role(req: wsgi.Request, found: Role) -> dict[str, Any]:
    return asdict(found) | _rest(req, "roles", found.id)


def domain(req: wsgi.Request) -> dict[str, Any]:
    return {**DOMAIN, "links": {"self": url(req, f"domains/{DOMAIN_ID}")}}


def assignment(req: wsgi.Request, held: tuple[User, Project, Role], names: bool) -> dict[str, Any]:
    """:param names: show names beside the ids (``include_names``)."""
    holder, where, what = held
    domain_of = {"domain": {"id": DOMAIN_ID, "name": DOMAIN_NAME}}
    return {
        "role": {"id": what.id} | ({"name": what.name} if names else {}),
        "user": {"id": holder.id} | ({"name": holder.name, **domain_of} if names else {}),
        "scope": {"project": {"id": where.id} | ({"name": where.name, **domain_of} if names else {})},
        "links": {"assignment": url(req, f"projects/{where.id}/users/{holder.id}/roles/{what.id}")},
    }


def linked(req: wsgi.Request, collection: str, item: dict[str, Any]) -> dict[str, Any]:
    """An item of a collection, with the link to itself."""
    return item | {"links": {"self": url(req, f"{collection}/{item['id']}")}}


def listing(req: wsgi.Request, name: str, items: list[dict[str, Any]], path: str | None = None) -> dict[str, Any]:
    """Everything there is: nothing here comes in pages."""
    return {name: items, "links": {"self": url(req, path or name), "previous": None, "next": None}}


def _rest(req: wsgi.Request, collection: str, identifier: str) -> dict[str, Any]:
    return {"domain_id": DOMAIN_ID, "options": {}, "links": {"self": url(req, f"{collection}/{identifier}")}}


def url(req: wsgi.Request, path: str) -> str:
    return f"{root_url(req)}{MOUNT}/v3/{path}"


def root_url(req: wsgi.Request) -> str:
    """Scheme and host under which the caller reaches this cloud, without the companion's own mount point."""
    return str(req.conf.endpoint_url or f"{req.http.scheme}://{req.http.netloc}").rstrip("/")
