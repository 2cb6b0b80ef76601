"""The compute API for tests: who calls it, what it can boot, an agent when one is wanted, and waiting for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nova_lite import conf as nova_lite_conf
from nova_lite import objects
from nova_lite.compute import api as compute_api
from nova_lite.compute import flavors
from nova_lite.compute.agent import Agent
from nova_lite.compute.images import ImageStore
from nova_lite.context import RequestContext
from nova_lite.db import hosts
from tests.functional.disk_driver import DiskDriver

HOST = "host1"
IMAGE = "11111111-1111-4111-8111-111111111111"
BAD_IMAGE = "22222222-2222-4222-8222-222222222222"
UNSTARTABLE_IMAGE = "33333333-3333-4333-8333-333333333333"
PATIENCE = 30.0  # seconds until a wait is given up as failed

NODE = {
    "host_ip": "127.0.0.1",
    "hypervisor_type": "disk",
    "hypervisor_version": 1000,
    "kvm_kind": "none",
    "vcpus": 4,
    "memory_mb": 8192,
    "local_gb": 100,
    "cpu_info": {"arch": "x86_64"},
}


def caller(project_id: str = "p1", user_id: str = "u1", is_admin: bool = False) -> RequestContext:
    roles = ["admin", "member", "reader"] if is_admin else ["member", "reader"]
    return RequestContext(user_id=user_id, project_id=project_id, roles=roles, is_admin=is_admin)


def eventually(condition: Callable[[], Any], what: str) -> Any:
    """What ``condition`` returns as soon as that is true."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.005)
    raise AssertionError(f"waited {PATIENCE:g} s in vain until {what}")


class Computing:
    """``api`` and its surroundings. ``me`` is a member of project p1, ``admin`` an administrator of another one."""

    def __init__(self, state: Path, url: str | None, **options: dict[str, Any]) -> None:
        """:param options: overrides by group: ``quota={"instances": 2}``."""
        self.conf = nova_lite_conf.load([], [])
        self.conf.set_override("state_path", str(state))
        self.conf.set_override("host", HOST)
        if url is not None:
            self.conf.set_override("connection", url, group="database")
        for group, values in options.items():
            for name, value in values.items():
                self.conf.set_override(name, value, group=group)
        self.paths = nova_lite_conf.paths(self.conf)
        self.api = compute_api.connect(self.conf)
        self.database = self.api.database
        self.me, self.admin, self.stranger = caller(), caller("ops", "root", is_admin=True), caller("p2", "u2")
        self.store = ImageStore(self.database, self.paths, HOST)
        for image_id, content in ((IMAGE, b"good"), (BAD_IMAGE, b"bad"), (UNSTARTABLE_IMAGE, b"nostart")):
            kernel = state / f"{content.decode()}.bin"
            kernel.write_bytes(content)
            self.store.add(content.decode(), kernel, "flat16", image_id=image_id)
        with self.database.write() as connection:
            flavors.seed(connection)
        self.driver = DiskDriver(state / "machines")
        self.agent: Agent | None = None

    def know_host(self, **node: Any) -> None:
        """Write what an agent of the host would have written."""
        with self.database.write() as connection:
            hosts.record_node(connection, HOST, NODE | node)
            hosts.heartbeat(connection, HOST, hosts.COMPUTE, "up", free_disk_gb=77)

    def start_agent(self, driver: Any = None) -> Agent:
        self.agent = Agent(self.conf, driver or self.driver)
        self.agent.start()
        return self.agent

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.stop()
            self.agent = None

    def close(self) -> None:
        self.stop_agent()
        self.api.agent.close()
        self.database.close()

    def create(self, name: str = "server", context: RequestContext | None = None, **wanted: Any) -> objects.Instance:
        values = {"flavor_ref": "40", "image_ref": IMAGE} | wanted
        return self.api.create(context or self.me, name=name, **values)[0]

    def get(self, instance: objects.Instance | str) -> objects.Instance:
        """The server as it is now, deleted or not."""
        uuid = instance if isinstance(instance, str) else instance.uuid
        return self.api.get_instance_any(self.admin, uuid)

    def settled(self, instance: objects.Instance, vm_state: str) -> objects.Instance:
        """The server once nothing is being done to it any more; it must then be in ``vm_state``."""

        def idle() -> objects.Instance | None:
            if any(operation.state in ("pending", "running") for operation in self.operations(instance)):
                return None
            now = self.get(instance)
            return now if now.task_state is None else None

        found: objects.Instance = eventually(idle, "nothing is being done to the server")
        assert found.vm_state == vm_state, (found.vm_state, found.fault)
        return found

    def becomes(self, instance: objects.Instance, vm_state: str) -> objects.Instance:
        """The server once it is in ``vm_state``."""

        def there() -> objects.Instance | None:
            now = self.get(instance)
            return now if now.vm_state == vm_state else None

        found: objects.Instance = eventually(there, f"the server is {vm_state}")
        return found

    def running(self, **wanted: Any) -> objects.Instance:
        """A new server, active."""
        return self.settled(self.create(**wanted), "active")

    def operations(self, instance: objects.Instance) -> list[objects.Operation]:
        """Oldest first."""
        return self.api.list_operations(self.admin, instance.uuid)[::-1]

    def set_row(self, instance: objects.Instance, **columns: Any) -> None:
        """Put a server into a state that would be hard to reach otherwise."""
        from nova_lite.db import instances

        with self.database.write() as connection:
            instances.update(connection, instance.uuid, columns)
