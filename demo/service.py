"""The service under the demo: `nova-lite serve` on a state folder of its own, ended without a trace."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from demo.client import Client

PORT = 8774
READY_WITHIN = 330.0  # seconds; the service itself gives up a little earlier, and says what was missing

COMMAND = [sys.executable, "-c", "from nova_lite.cli.main import main; main(prog_name='nova-lite')"]


class ServiceFailed(Exception):
    """The service did not start or did not end as it should."""


def start_serve(argv: Sequence[str], log: Path, new_session: bool = False) -> tuple[subprocess.Popen[bytes], str]:
    """Start `nova-lite serve`, its output in ``log``, and wait until it says that it is ready.

    Returns its process and its URL. :raises ServiceFailed: with its output, when it ends or stays silent instead.
    """
    ready = log.with_suffix(".ready")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified, open(log, "wb") as output:
        notified.bind(str(ready))
        process = subprocess.Popen(
            argv,
            env={**os.environ, "NOTIFY_SOCKET": str(ready)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=new_session,
        )
        try:
            _wait_for_either(notified.fileno(), process.pid)
            text = log.read_text(errors="replace")
            if match := re.search(r"is ready: (http://\S+)", text):
                return process, match[1]
            raise ServiceFailed(f"`nova-lite serve` did not become ready:\n{text}")
        except BaseException:  # Ctrl-C as well: nobody else knows the process yet
            process.terminate()
            process.wait()
            raise
        finally:
            ready.unlink()


def _wait_for_either(notified: int, pid: int) -> None:
    """Return when something was said on the socket or the process has ended, or READY_WITHIN has passed."""
    pidfd = os.pidfd_open(pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(notified, selectors.EVENT_READ)
            selector.register(pidfd, selectors.EVENT_READ)
            selector.select(READY_WITHIN)
    finally:
        os.close(pidfd)


class Service:
    """A running service; ``url`` is where it answers."""

    def __init__(self) -> None:
        self.state = Path(tempfile.mkdtemp(prefix="nova-lite-demo-"))
        self.log = self.state / "serve.log"
        self.port_taken = _taken(PORT)
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> float:
        """Start and wait until it is ready; returns the seconds that took."""
        begin = time.monotonic()
        port = "0" if self.port_taken else str(PORT)
        argv = self.command("serve", "--port", port, "--console-port", "0")
        # A session of its own: KEEP=1 leaves it running when this terminal is closed.
        self._process, self.url = start_serve(argv, self.log, new_session=True)
        return time.monotonic() - begin

    def command(self, *arguments: str) -> list[str]:
        return [*COMMAND, "--state-path", str(self.state), *arguments]

    def run(self, *arguments: str) -> str:
        """A `nova-lite` command on this service's state folder; returns what it prints."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ServiceFailed(f"`nova-lite {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")
        return done.stdout.strip()

    def client(self) -> Client:
        """A client with three callers: admin, a member and a reader of project demo."""
        tokens = {
            role: self.run("token", "create", "-q", "--user", role, "--project", "demo", "--role", role)
            for role in ("admin", "member", "reader")
        }
        return Client(self.url, tokens)

    def stop(self) -> None:
        """End service and VMs and remove the state folder. :raises ServiceFailed: something was left."""
        try:
            if self._process is not None:
                self._process.send_signal(signal.SIGTERM)
                if self._process.wait(timeout=60) != 0:
                    raise ServiceFailed(f"`nova-lite serve` ended badly:\n{self.log.read_text(errors='replace')}")
                self.run("vm", "stop", "--all")
        finally:
            shutil.rmtree(self.state)


def _taken(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return True
    return False
