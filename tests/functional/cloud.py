"""The whole API in process, over a database of its own: every layer but the agent, which is not needed to answer.

What the agent would have written (the host's service and its capacity) is written here, and fixed.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import falcon.testing

from nova_lite import conf as nova_lite_conf
from nova_lite.api import app
from nova_lite.api.operations import Table
from nova_lite.api.policy import PolicyEngine
from nova_lite.api.service import COMPUTE
from nova_lite.compute import api as compute_api
from nova_lite.compute import flavors
from nova_lite.compute.images import ImageStore
from nova_lite.context import RequestContext
from nova_lite.db import hosts, instances
from tests.functional import promises

HOST = "host1"
ADMIN, MEMBER, READER, NOBODY = "admin", "u1:p1", "u2:p1:reader", "u3:p1:"
IMAGE_ID = "0b1f3d2e-8a55-4d8c-9c34-0d6a1f0a7c11"
PRIVATE_IMAGE_ID = "0b1f3d2e-8a55-4d8c-9c34-0d6a1f0a7c22"
NODE = {
    "host_ip": "127.0.0.1",
    "hypervisor_type": "KVM",
    "hypervisor_version": 1000,
    "kvm_kind": "none",
    "vcpus": 4,
    "memory_mb": 8192,
    "local_gb": 100,
    "cpu_info": {"arch": "x86_64", "model": "test", "topology": {"cores": 4}},
}
UPTIME = " 09:40:00 up 1 day,  load average: 0.00, 0.00, 0.00"


@functools.cache
def _table() -> Table:
    return app.build_table(None, PolicyEngine(None).registered)


class Cloud:
    """One host, the shipped flavors, a public image and one that belongs to project ``p2``.

    ``cloud(method, path, version, token)`` is a request; tokens are noauth2's ``user:project:roles``. Each answer is
    proved to be as declared (tests/functional/promises.py) before the test sees it.
    """

    def __init__(self, state: Path, **options: dict[str, Any]) -> None:
        """:param options: overrides by group: ``api={"max_limit": 2}``."""
        conf = nova_lite_conf.load([], [])
        conf.set_override("state_path", str(state))
        conf.set_override("host", HOST)
        conf.set_override("auth_strategy", "noauth2", group="api")
        conf.set_override("service_down_time", 86400, group="compute")  # the one heartbeat lasts as long as any test
        for group, values in options.items():
            for name, value in values.items():
                conf.set_override(name, value, group=group)
        self.compute = compute_api.connect(conf)
        with self.compute.database.write() as connection:
            flavors.seed(connection)
            hosts.record_node(connection, HOST, dict(NODE))
            hosts.heartbeat(connection, HOST, hosts.COMPUTE, UPTIME, free_disk_gb=90)
        kernel = self.kernel = state / "kernel.bin"
        kernel.write_bytes(b"\xf4" * 64)
        self.images = ImageStore(self.compute.database, nova_lite_conf.paths(conf), HOST)
        self.images.add(
            "halting", kernel, "flat16", image_id=IMAGE_ID, properties={"os_distro": "none", "auto_disk_config": "True"}
        )
        self.images.add(
            "secret", kernel, "flat16", image_id=PRIVATE_IMAGE_ID, visibility="private", project_id="p2", min_ram=64
        )
        self.app = promises.Promises(app.build(conf, self.compute), _table(), COMPUTE)
        self._client = falcon.testing.TestClient(self.app)
        self._database = nova_lite_conf.paths(conf).database
        self.keep()

    def __call__(
        self, method: str, path: str, version: str | None = None, token: str | None = MEMBER, **request: Any
    ) -> falcon.testing.Result:
        """One request. ``path`` without /v2.1 or /v3, which ``version`` decides, or with /v2; ``json=``: body."""
        headers = dict(request.pop("headers", {}))
        if token:
            headers["X-Auth-Token"] = token
        if version:
            headers["OpenStack-API-Version"] = f"compute {version}"
        prefix = "/v3" if version and version.startswith("3") else "" if path.startswith("/v2/") else "/v2.1"
        return self._client.simulate_request(method, prefix + path, headers=headers, **request)

    def add_server(self, name: str, project_id: str = "p1", flavor_id: str = "42", user_id: str = "u1") -> str:
        """A server on the host, as far as the database knows; its uuid. No agent will build it."""
        context = RequestContext(user_id=user_id, project_id=project_id, roles=["member", "reader"])
        created = self.compute.create(context, name=name, flavor_ref=flavor_id, image_ref=IMAGE_ID)
        return created[0].uuid

    def set_server(self, server_id: str, **columns: Any) -> None:
        """Write what an agent would have: ``vm_state``, ``task_state``, ``power_state``, ``launched_at`` …"""
        with self.compute.database.write() as connection:
            instances.update(connection, server_id, columns)

    def keep(self) -> None:
        """What is in the database now is what ``reset`` goes back to."""
        self.compute.database.close()
        self._beginning = self._database.read_bytes()

    def reset(self) -> None:
        """The database as it was at the beginning; a second's work less than another cloud."""
        self.compute.database.close()
        for left_over in self._database.parent.glob(f"{self._database.name}-*"):
            left_over.unlink()
        self._database.write_bytes(self._beginning)

    def close(self) -> None:
        self.compute.database.close()
