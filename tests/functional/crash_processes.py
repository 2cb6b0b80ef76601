"""Processes for the tests of durability to kill: ``agent STATE DRIVER`` and ``api STATE FD MOMENT``.

The agent is the real one, with VMs that are files (``disk``; ``files``: and have disks) or real ones (``kvm``);
NOVA_LITE_CRASH_AT says where it ends. The API is gunicorn with one worker that ends itself in the middle of a POST:
``commit`` just before its transaction commits, ``poke`` just after.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite import log
from nova_lite.compute.node_client import NodeClient

HOST = "host1"


def options(state: str) -> cfg.ConfigOpts:
    conf = nova_lite_conf.load([], [])
    conf.set_override("state_path", state)
    conf.set_override("host", HOST)
    conf.set_override("auth_strategy", "noauth2", group="api")
    conf.set_override("workers", 1, group="api")
    log.setup(conf)
    return conf


def agent(state: str, driver_name: str) -> int:
    from nova_lite.compute.agent import Agent, make_driver, run
    from tests.functional.disk_driver import DiskDriver, DriverWithDisks

    conf = options(state)
    kinds = {"disk": DiskDriver, "files": DriverWithDisks}
    kind = kinds.get(driver_name)
    if kind is not None:
        conf.set_override("driver", "fake", group="compute")  # a network is a row, the host's own is left alone
    return run(Agent(conf, kind(Path(state) / "machines") if kind is not None else make_driver(conf)))


def die(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DyingClient(NodeClient):
    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        die()
        raise AssertionError


def api(state: str, listen_fd: str, moment: str) -> None:
    from nova_lite.api import app
    from nova_lite.cli.api_server import APIServer
    from nova_lite.compute import api as compute_api

    class Server(APIServer):
        def load(self) -> object:
            compute = compute_api.connect(self._options)
            if moment == "commit":
                # The first statement of what is committed is known to be on its way; nothing of it is on disk.
                sa.event.listen(compute.database.engine, "commit", die)
            else:
                compute.agent = DyingClient(nova_lite_conf.paths(self._options).agent_socket)
            return app.build(self._options, compute)

    Server(options(state), int(listen_fd)).run()


if __name__ == "__main__":
    sys.exit({"agent": agent, "api": api}[sys.argv[1]](*sys.argv[2:]))
