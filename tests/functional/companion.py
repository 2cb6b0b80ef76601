"""An embedded companion over the Compute API's database, in process; tokens are noauth2's ``user:project:roles``."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import falcon.testing

from nova_lite.api import auth
from nova_lite.api.policy import PolicyEngine
from tests.functional.cloud import MEMBER, Cloud
from tests.functional.promises import Promises


class Companion:
    """``companion(method, path, token)`` is a request below the companion's own mount point."""

    def __init__(self, cloud: Cloud, module: ModuleType) -> None:
        """:param module: the companion's ``app``."""
        conf = cloud.compute.conf
        engine = PolicyEngine(None)
        app = module.build(conf, engine, auth.strategy(conf), cloud.compute)
        self.app = Promises(app, module.build_table(None, engine.registered), module.SERVICE)
        self._client = falcon.testing.TestClient(self.app)

    def __call__(
        self, method: str, path: str, token: str | None = MEMBER, headers: dict[str, str] | None = None, **request: Any
    ) -> falcon.testing.Result:
        sent = dict(headers or {}) | ({"X-Auth-Token": token} if token else {})
        return self._client.simulate_request(method, path, headers=sent, **request)
