"""A Keystone with projects, users and a catalog, and the `openstack` client that asks it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.companions.processes import PASSWORD, Keystone, run
from tests.serving import PATIENCE

#: User, project, role. All have PASSWORD.
USERS = (
    ("nova", "service", "admin"),
    ("glance", "service", "admin"),
    ("other-service", "service", "service"),
    ("ada", "demo", "member"),
    ("rob", "demo", "reader"),
    ("eve", "other", "member"),
)


class People:
    """The users of a Keystone, and what they say to services."""

    def __init__(self, keystone: Keystone, bin_: Path) -> None:
        self.keystone, self._bin = keystone, bin_
        self.ids: dict[str, str] = {}

    def make(self) -> None:
        token = self.token("admin", "admin")
        roles = {role["name"]: role["id"] for role in self.identity(token, "GET", "/roles")["roles"]}
        for name in dict.fromkeys(project for _, project, _ in USERS):
            body = {"project": {"name": name, "domain_id": "default"}}
            self.ids[name] = self.identity(token, "POST", "/projects", body)["project"]["id"]
        for name, project, role in USERS:
            body = {"user": {"name": name, "password": PASSWORD, "domain_id": "default"}}
            self.ids[name] = self.identity(token, "POST", "/users", body)["user"]["id"]
            self.grant(token, name, project, roles[role])

    def grant(self, token: str, user: str, project: str, role_id: str) -> None:
        self.identity(token, "PUT", f"/projects/{self.ids[project]}/users/{self.ids[user]}/roles/{role_id}")

    def add_endpoint(self, kind: str, name: str, url: str, region: str = "RegionOne") -> None:
        """Put a service into the catalog."""
        token = self.token("admin", "admin")
        if region not in {one["id"] for one in self.identity(token, "GET", "/regions")["regions"]}:
            self.identity(token, "POST", "/regions", {"region": {"id": region}})
            self.add_endpoint("identity", "keystone", self.keystone.url, region)
        service = self.identity(token, "POST", "/services", {"service": {"type": kind, "name": name}})["service"]
        for interface in ("public", "internal"):
            endpoint = {"service_id": service["id"], "region": region, "interface": interface, "url": url}
            self.identity(token, "POST", "/endpoints", {"endpoint": endpoint})

    def token(self, user: str, project: str | None, url: str | None = None, scope: Any = None) -> str:
        """:param scope: in place of the project: {"system": …} or {"domain": …}; None for neither is unscoped."""
        who = {"user": {"name": user, "password": PASSWORD, "domain": {"id": "default"}}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": who}}
        if project is not None:
            scope = {"project": {"name": project, "domain": {"id": "default"}}}
        if scope is not None:
            auth["scope"] = scope
        _, headers, _ = call("POST", f"{url or self.keystone.url}/auth/tokens", None, {"auth": auth})
        return headers["X-Subject-Token"]

    def identity(self, token: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        status, _, document = call(method, f"{self.keystone.url}{path}", token, body, headers)
        assert status < 300, (method, path, status, document)
        return document

    def openstack(self, user: str, project: str, *command: str, form: str = "json", region: str = "RegionOne") -> Any:
        """What the client printed, parsed where it is JSON."""
        environment = {
            "OS_AUTH_URL": self.keystone.url,
            "OS_USERNAME": user,
            "OS_PASSWORD": PASSWORD,
            "OS_PROJECT_NAME": project,
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
            "OS_REGION_NAME": region,
        }
        formatted = ["-f", form] if form else []
        output = run(str(self._bin / "openstack"), *command, *formatted, environment=environment)
        return json.loads(output) if form == "json" else output


def call(
    method: str, url: str, token: str | None, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any, Any]:
    """Status, headers and JSON document of any answer."""
    sent = {"Accept": "application/json", **(headers or {})}
    if token is not None:
        sent["X-Auth-Token"] = token
    data = None
    if body is not None:
        sent["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, answer.headers, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, error.headers, json.loads(text) if text.startswith(b"{") else text
