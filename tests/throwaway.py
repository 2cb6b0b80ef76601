"""An application over controllers that a test makes up: the real pipeline, no compute behind it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import falcon.testing
from oslo_policy import policy as oslo

from nova_lite import conf as nova_lite_conf
from nova_lite import exceptions, schemas
from nova_lite.api import app, policy, wsgi
from nova_lite.api.operations import Table, collect
from nova_lite.api.versions import Version

_CONSTANT = re.compile(r"(input|query|output)_(\d+)_(\d+)")
RULES = [
    oslo.RuleDefault("context_is_admin", "role:admin"),
    oslo.RuleDefault("throwaway", "role:member and project_id:%(project_id)s or rule:context_is_admin"),
    oslo.RuleDefault("throwaway:secret", "rule:context_is_admin"),
]


class Thing:
    """The object of throw-away routes; things of project ``theirs`` are a stranger's."""

    def __init__(self, name: str, project_id: str) -> None:
        self.name, self.project_id = name, project_id

    def policy_target(self) -> dict[str, object]:
        return {"project_id": self.project_id, "user_id": "someone"}


def operation_schemas(name: str, **constants: dict | None) -> schemas.OperationSchemas:
    """``operation_schemas("things.make", input_2_1={...}, output_2_9=None)``: as a schema module would give them."""
    found: dict[str, list[schemas.Entry]] = {}
    for constant, schema in constants.items():
        match = _CONSTANT.fullmatch(constant)
        assert match, constant
        found.setdefault(match[1], []).append(schemas.Entry(Version(int(match[2]), int(match[3])), schema))
    histories = {part: schemas.History(name, part, tuple(sorted(entries))) for part, entries in found.items()}
    return schemas.OperationSchemas(name, **histories)


def load_thing(req: wsgi.Request, value: str) -> Thing:
    """Things are called mine…; everything else does not exist for this caller."""
    if not value.startswith("mine") and not req.context.is_admin:
        raise exceptions.NotFound(f"Thing {value} could not be found.")
    return Thing(value, req.context.project_id if value.startswith("mine") else "theirs")


def table(*controllers: type[wsgi.Controller], rules: Iterable[oslo.RuleDefault] = ()) -> Table:
    known = frozenset(rule.name for rule in [*RULES, *rules])
    return collect([controller(None) for controller in controllers], known)


class Client:
    """HTTP in process. ``token`` is noauth2's: user:project:roles."""

    def __init__(self, state: Path, *controllers: type[wsgi.Controller], **options: Any) -> None:
        conf = nova_lite_conf.load([], [])
        conf.set_override("state_path", str(state))
        conf.set_override("auth_strategy", "noauth2", group="api")
        for name, value in options.items():
            conf.set_override(name, value, group="api")
        engine = policy.PolicyEngine(None, RULES)
        self._client = falcon.testing.TestClient(app.assemble(conf, table(*controllers), engine, None))

    def __call__(
        self, method: str, path: str, version: str | None = None, token: str | None = "u1:p1", **request: Any
    ) -> falcon.testing.Result:
        headers = dict(request.pop("headers", {}))
        if token:
            headers["X-Auth-Token"] = token
        if version:
            headers["OpenStack-API-Version"] = f"compute {version}"
        prefix = "/v3" if version and version.startswith("3") else "/v2.1"
        full = path if path.startswith(("/v2/", "/v2.1", "/v3")) else prefix + path
        return self._client.simulate_request(method, full, headers=headers, **request)
