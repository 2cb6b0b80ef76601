"""A `nova-lite serve` of a test's own: started, asked over HTTP, stopped; with the processes that belong to it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from demo.client import Client
from demo.service import COMMAND, start_serve

PATIENCE = 300.0  # seconds; of an emulated machine, too


def nova_lite(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [*COMMAND, "--state-path", str(state), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@contextlib.contextmanager
def state_folder() -> Iterator[Path]:
    """A new state folder whose path is short enough for the sockets below it; no VM runs from it afterwards."""
    with tempfile.TemporaryDirectory(prefix="nova-lite-") as folder:
        try:
            yield Path(folder) / "s"
        finally:
            nova_lite(Path(folder) / "s", "vm", "stop", "--all", "--force")


class Serving:
    """A context manager around one service on ``state``; ``url`` and ``client`` once it is entered."""

    def __init__(self, state: Path, *arguments: str, config: Path | None = None) -> None:
        """:param config: a configuration file for it."""
        self.state = state
        self._arguments = arguments
        self._config = ["--config-file", str(config)] if config is not None else []
        self.log = state.parent / f"serve-{id(self):x}.log"
        self.url = ""

    def __enter__(self) -> Serving:
        argv = [*COMMAND, *self._config, "--state-path", str(self.state), "serve", "--port", "0", *self._arguments]
        self.process, self.url = start_serve(argv, self.log)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.stop()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the service and wait for its end; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def client(self) -> Client:
        """A client with the caller `admin` of clouds.yaml, and a `member` and `reader` of project demo."""
        tokens = {"admin": self.log_in()}
        for role in ("member", "reader"):
            done = nova_lite(self.state, "token", "create", "-q", "--project", "demo", "--user", role, "--role", role)
            tokens[role] = done.stdout.strip()
        return Client(self.url, tokens)

    def log_in(self) -> str:
        """A token of who stands in clouds.yaml."""
        auth = yaml.safe_load((self.state / "clouds.yaml").read_text())["clouds"]["nova-lite"]["auth"]
        user = {"name": auth["username"], "password": auth["password"], "domain": {"id": auth["user_domain_id"]}}
        project = {"name": auth["project_name"], "domain": {"id": auth["project_domain_id"]}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = json.dumps({"auth": {"identity": identity, "scope": {"project": project}}}).encode()
        url = f"{self.url}{urlsplit(auth['auth_url']).path}/auth/tokens"  # a second start may listen elsewhere
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.headers["X-Subject-Token"]

    def children(self) -> dict[str, int]:
        """Process ids of the agent, the API's gunicorn and the others, by name."""
        found = {}
        for line in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            command = Path(f"/proc/{line}/cmdline").read_bytes().split(b"\0")
            modules = {
                b"nova_lite.compute.agent": "agent",
                b"nova_lite.cli.api_server": "API",
                b"nova_lite.connections": "connection service",
                b"nova_lite.metadata.service": "metadata service",
            }
            found |= {name: int(line) for module, name in modules.items() if module in command}
        return found
