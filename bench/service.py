"""A nova-lite service of a benchmark's own: temporary state, noauth2, no quotas; gone when the benchmark ends."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

READY_TIMEOUT = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Service:
    """HTTP client of the running service; one kept-alive connection."""

    def __init__(self, state: Path, port: int) -> None:
        self.state, self.port = state, port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def call(self, method: str, path: str, body: Any = None, version: str = "2.90") -> tuple[int, Any]:
        """One request as an administrator; (status, document)."""
        status, text = self.read(method, path, body, version)
        return status, json.loads(text) if text else None

    def read(self, method: str, path: str, body: Any = None, version: str = "2.90") -> tuple[int, bytes]:
        """As ``call``, without reading the document."""
        headers = {"X-Auth-Token": "admin", "OpenStack-API-Version": f"compute {version}"}
        data = None
        if body is not None:
            data = json.dumps(body)
            headers["Content-Type"] = "application/json"
        self._connection.request(method, path, body=data, headers=headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def wait_status(self, server_id: str, wanted: str, timeout: float = 30.0) -> dict[str, Any]:
        """Ask until the server has that status; RuntimeError on ERROR or when time is up."""
        deadline = time.monotonic() + timeout
        while True:
            _, document = self.call("GET", f"/v2.1/servers/{server_id}")
            server = document["server"]
            if server["status"] == wanted:
                return server
            if server["status"] == "ERROR" or time.monotonic() > deadline:
                raise RuntimeError(f"server {server_id} is {server['status']}: {server.get('fault')}")
            time.sleep(0.002)

    def image(self, name: str) -> str:
        _, document = self.call("GET", "/v2.1/images", version="2.1")
        return next(image["id"] for image in document["images"] if image["name"] == name)

    def flavor(self, name: str) -> str:
        _, document = self.call("GET", "/v2.1/flavors")
        return next(flavor["id"] for flavor in document["flavors"] if flavor["name"] == name)


@contextlib.contextmanager
def running(options: str = "", workers: int = 2, threads: int = 4) -> Iterator[Service]:
    """``nova-lite serve`` in a temporary folder; its servers are deleted and every process is gone afterwards."""
    state = Path(tempfile.mkdtemp(prefix="nlb-"))
    port = free_port()
    config = state / "nova-lite.conf"
    config.write_text(
        f"[DEFAULT]\nstate_path = {state}/s\nlog_file = {state}/log\n"
        f"[api]\nbind_port = {port}\nauth_strategy = noauth2\nworkers = {workers}\nthreads = {threads}\n"
        f"[serial_console]\nserialproxy_port = {free_port()}\n"
        "[quota]\ninstances = -1\ncores = -1\nram = -1\n"
        "[compute]\nparallel_operations = 4\ncpu_allocation_ratio = 10000\nram_allocation_ratio = 10000\n" + options
    )
    command = [str(Path(sys.executable).parent / "nova-lite"), "--config-file", str(config), "serve"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _wait_ready(process, port)
        service = Service(state / "s", port)
        yield service
        _delete_all(service)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        shutil.rmtree(state, ignore_errors=True)


def _wait_ready(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            assert process.stderr is not None
            raise RuntimeError(f"nova-lite serve ended: {process.stderr.read()[-2000:]}")
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/healthcheck")
            if json.loads(connection.getresponse().read()).get("agent") == "ok":
                return
        time.sleep(0.05)
    raise RuntimeError("nova-lite serve did not get ready")


def _delete_all(service: Service) -> None:
    _, document = service.call("GET", "/v2.1/servers?all_tenants=1&limit=1000")
    for server in document["servers"]:
        service.call("DELETE", f"/v2.1/servers/{server['id']}")
    deadline = time.monotonic() + 120
    while service.call("GET", "/v2.1/servers?all_tenants=1")[1]["servers"] and time.monotonic() < deadline:
        time.sleep(0.1)
