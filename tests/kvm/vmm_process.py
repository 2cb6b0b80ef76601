"""What the VMM tests share: a nova-lite-vmm process, curl, waiting, and the shipped guests."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

import nova_lite.hv.guests
from nova_lite.hv.vmm import client, unix_socket

GUESTS = Path(nova_lite.hv.guests.__file__).parent
COUNTING = GUESTS / "counting.bin"
INTERACTIVE = GUESTS / "interactive.elf"
#: Seconds for anything that a VMM or its guest shall do; only a test that fails waits so long. In the box of
#: tests/nested everything is emulated, on processors that others may be using.
PATIENCE = 150.0 if "NOVA_LITE_INSIDE_A_BOX" in os.environ else 60.0
MIB = 1 << 20

needs_kvm = pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="/dev/kvm cannot be used here")

T = TypeVar("T")


def wait_for(question: Callable[[], T], what: str) -> T:
    """Ask until the answer is true; for what has no event to wait on (a file that grows under a guest)."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


class Vmm:
    """A nova-lite-vmm in the foreground of its own process. ``said``: the end of what came on its standard output."""

    def __init__(self, socket: Path, *options: object) -> None:
        self.socket = socket
        self.process = subprocess.Popen(
            [sys.executable, "-m", "nova_lite.hv.vmm.main", "--api-socket", str(socket), *map(str, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        self.summary = self._read_summary()
        self.said, self._spoke = b"", threading.Condition()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.get("vmm.ping")  # answered once it has booted what the options told it to

    def _read_summary(self) -> str:
        assert self.process.stdout is not None and self.process.stderr is not None
        first = self.process.stdout.readline()
        if not first:
            raise AssertionError(f"the VMM did not start: {self.process.stderr.read().decode()}")
        return (first + self.process.stdout.readline()).decode()

    def _listen(self) -> None:
        """Standard output is the guest's console unless somebody says otherwise, and the guest waits for its reader."""
        assert self.process.stdout is not None
        while data := self.process.stdout.read(1 << 16):
            with self._spoke:
                self.said = (self.said + data)[-(1 << 16) :]
                self._spoke.notify_all()

    def hear(self, text: bytes) -> None:
        """Wait until the end of standard output has ``text`` in it."""
        with self._spoke:
            assert self._spoke.wait_for(lambda: text in self.said, PATIENCE), self.said

    def __enter__(self) -> Vmm:
        return self

    def __exit__(self, kind: object, *_exc: object) -> None:
        if kind is not None:
            from tests.kvm import post_mortem

            print(post_mortem.describe(self.socket, self.process.pid))
            print(f"--- standard output\n{self.said[-8000:].decode(errors='replace')}")
        self.process.kill()
        self.process.wait(PATIENCE)
        self._listener.join(PATIENCE)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def get(self, name: str) -> Any:
        return client.request(self.socket, "GET", name, timeout=PATIENCE)

    def put(self, name: str, body: object = None) -> Any:
        return client.request(self.socket, "PUT", name, body, timeout=PATIENCE)

    def refusal(self, method: str, name: str, body: object = None) -> client.VmmRefused:
        with pytest.raises(client.VmmRefused) as caught:
            client.request(self.socket, method, name, body, timeout=PATIENCE)
        return caught.value

    def state(self) -> str:
        return str(self.get("vm.info")["state"])

    def curl(self, method: str, name: str, *options: str) -> tuple[int, dict[str, str], str]:
        """Status, headers (lower case) and body, as curl sees them."""
        if shutil.which("curl") is None:
            pytest.skip("curl is not installed")
        done = subprocess.run(
            ["curl", "-s", "-i", "--max-time", str(PATIENCE), "--unix-socket", str(self.socket), "-X", method]
            + [*options, f"http://localhost/api/v1/{name}"],
            capture_output=True,
            check=True,
        )
        head, _, body = done.stdout.decode().rpartition("\r\n\r\n")
        status, *lines = head.split("\r\n\r\n")[-1].split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return int(status.split()[1]), headers, body

    def events(self) -> Events:
        return Events(self.socket)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send the signal; the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)


class Events:
    """The event stream of a VMM, one event at a time after ``first``; all that happens from now on is in it."""

    def __init__(self, socket: Path) -> None:
        self._stream = client.EventStream(socket)
        self._waiting: list[dict[str, Any]] = []
        self.first = self.next()

    def next(self) -> dict[str, Any]:
        while not self._waiting:
            ready, _, _ = select.select([self._stream], [], [], PATIENCE)
            assert ready, "waited in vain for an event"
            events = self._stream.read()
            assert events is not None, "the event stream ended"
            self._waiting = events
        return self._waiting.pop(0)

    def until(self, name: str) -> dict[str, Any]:
        while (event := self.next())["event"] != name:
            pass
        return event


class SerialClient:
    """Types at a serial socket and reads what comes back."""

    def __init__(self, path: Path, vmm: Vmm | None = None) -> None:
        """:param vmm: whose machine it is: nothing more is waited for when that has crashed."""
        self._socket, self._vmm = unix_socket.connect(path, PATIENCE), vmm
        self.seen = ""

    def type(self, text: str) -> None:
        self._socket.sendall(text.encode())

    def read_until(self, text: str) -> str:
        """Everything up to and with ``text`` that was not read before."""
        pieces, end = [self.seen], self.seen
        while text not in end:
            data = self._socket.recv(1 << 16) if self._speaks() else None
            said = "".join(pieces)[-8000:] if not data else ""
            assert data is not None, f"waited in vain for {text!r}; it said {said!r}"
            assert data, f"the serial line ended before {text!r}; it said {said!r}"
            pieces.append(data.decode(errors="replace"))
            end = end[-len(text) :] + pieces[-1]
        found, _, self.seen = "".join(pieces).partition(text)
        return found + text

    def _speaks(self) -> bool:
        """Wait for more; False when none has come, or none will."""
        end = time.monotonic() + PATIENCE
        while not select.select([self._socket], [], [], min(5.0, PATIENCE))[0]:
            if time.monotonic() > end or (self._vmm is not None and self._vmm.state() == "Crashed"):
                return False
        return True

    def close(self) -> None:
        self._socket.close()


def config(kernel: Path, **more: object) -> dict[str, Any]:
    """A VmConfig of 16 MiB and one vCPU."""
    return {"cpus": {"boot_vcpus": 1}, "memory": {"size": 16 * MIB}, "payload": {"kernel": str(kernel)}} | more


def dumps(document: object) -> str:
    return json.dumps(document)
