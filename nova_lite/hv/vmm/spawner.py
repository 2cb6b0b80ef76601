"""The driver's side of the zygote: starts it, asks it for VMMs, starts it again when it died."""

from __future__ import annotations

import json
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nova_lite
from nova_lite.hv.vmm import process
from nova_lite.hv.vmm.zygote_protocol import COMMAND_LINE_ROOM, MAX_DESCRIPTORS, MAX_REQUEST

LOG = logging.getLogger(__name__)

#: Seconds from asking for a VMM to its guest running.
_START_TIMEOUT = 30.0
#: Seconds that a VMM which could not start gets to be gone.
_END_TIMEOUT = 10.0
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")


class SpawnFailed(Exception):
    """No VMM came of it. ``str(error)`` is a sentence; ``in_use`` the VMM that serves the socket already, if any."""

    def __init__(self, sentence: str, in_use: int | None = None) -> None:
        super().__init__(sentence)
        self.in_use = in_use


class _ZygoteLost(Exception):
    """Nothing came of the request, not even a process: it may be asked for again."""


@dataclass(frozen=True)
class Spawned:
    """A VMM whose guest runs."""

    pid: int
    start_time: int


class Spawner:
    """One zygote. ``spawn`` may be called from several threads."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    @property
    def zygote_pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the zygote, or a new one when it has ended. It gets ready while we go on."""
        with self._lock:
            self._ready_channel()

    def close(self) -> None:
        """End the zygote; the VMMs go on."""
        with self._lock:
            self._end()

    def spawn(
        self,
        path: Path,
        name: str,
        config: dict[str, Any],
        fds: Sequence[int] = (),
        restore: Path | None = None,
    ) -> Spawned:
        """A VMM that serves ``path`` and runs ``config``; paused where a machine was saved in ``restore``, if given.

        ``fds``: what its net[].fds name by their place here; they stay the caller's.

        :raises SpawnFailed: with the VMM's own words where it got that far.
        """
        wanted = {"socket": str(path), "name": name, "config": config, "restore": restore and str(restore)}
        request = json.dumps(wanted).encode()
        if len(request) > MAX_REQUEST:
            raise SpawnFailed("The VM's configuration is too long.")
        if len(fds) > MAX_DESCRIPTORS:
            raise SpawnFailed("The VM has too many network queues.")
        try:
            return self._spawn(request, fds)
        except _ZygoteLost:
            LOG.warning("The zygote died with a VM in hand; a new one is asked")
            with self._lock:
                self._end()
        try:
            return self._spawn(request, fds)
        except _ZygoteLost:
            raise SpawnFailed("The VM's process ended before it began.") from None

    def _spawn(self, request: bytes, fds: Sequence[int]) -> Spawned:
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            os.set_blocking(writer, True)
            self._send(request, [writer, *fds])
        except OSError as error:
            os.close(reader)
            raise SpawnFailed(f"The VM's process cannot be started: {error.strerror}.") from error
        finally:
            os.close(writer)
        try:
            return self._await(reader)
        finally:
            os.close(reader)

    def _send(self, request: bytes, fds: list[int]) -> None:
        with self._lock:
            try:
                socket.send_fds(self._ready_channel(), [request], fds)
            except (BrokenPipeError, ConnectionResetError):
                LOG.warning("The zygote has died and is started again")
                self._end()
                socket.send_fds(self._ready_channel(), [request], fds)

    def _await(self, reader: int) -> Spawned:
        """Read the VMM's report until it runs or gives up."""
        end = time.monotonic() + _START_TIMEOUT
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        buffer = b""
        found: dict[str, Any] = {}
        while "ready" not in found and "error" not in found:
            if not poll.poll(max(0.0, end - time.monotonic()) * 1000):
                self._abandon(found)
                raise SpawnFailed("The VM's process did not get ready in time.")
            data = os.read(reader, 1 << 16)
            if not data:
                if not found:
                    raise _ZygoteLost
                raise SpawnFailed("The VM's process ended while it started.")
            *lines, buffer = (buffer + data).split(b"\n")
            for line in lines:
                found |= json.loads(line)
        if "error" in found:
            _await_end(found)
            raise SpawnFailed(_sentence(found["error"]), found["in_use"])
        return Spawned(found["pid"], found["start_time"])

    def _abandon(self, found: dict[str, Any]) -> None:
        """Kill what takes too long: the VMM, or the zygote when not even that has come."""
        if "pid" in found:
            _await_end(found, kill=True)
            return
        with self._lock:
            if self._process is not None:
                self._process.kill()
            self._end()

    # -- the zygote, with the lock held -------------------------------------------------------------------------

    def _ready_channel(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._end()
        if self._channel is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            ours.settimeout(_START_TIMEOUT)
            with theirs, open(self._log, "ab", opener=lambda p, flags: os.open(p, flags, 0o600)) as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-S", "-m", "nova_lite.hv.vmm.zygote_start", "-" * COMMAND_LINE_ROOM],
                    stdin=theirs.fileno(),
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=_environment(),
                    start_new_session=True,
                )
            self._channel = ours
        return self._channel

    def _end(self) -> None:
        channel, self._channel = self._channel, None
        process, self._process = self._process, None
        if channel is not None:
            channel.close()
        if process is not None:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment() -> dict[str, str]:
    """What VMMs inherit: little, this package's place, and a malloc that is easy on memory.

    One arena instead of one per thread. Large blocks always mapped for themselves: glibc stops that once it has freed
    one, and then clears, and so copies, old heap for them.
    """
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    package = str(Path(nova_lite.__file__).resolve().parents[1])
    return kept | {"PYTHONPATH": package, "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "131072"}


def _await_end(found: dict[str, Any], kill: bool = False) -> None:
    """A VMM that has given up is gone before its failure is told."""
    pidfd = process.open_pidfd(found["pid"], found["start_time"])
    if pidfd is not None:
        if kill:
            process.kill(pidfd)
        process.has_ended(pidfd, _END_TIMEOUT)
        os.close(pidfd)


def _sentence(chain: list[str]) -> str:
    text = ": ".join(chain)
    return text if text.endswith(".") else text + "."
