"""Watches VMM processes: one thread, no polling.

For each VM it holds a pidfd (its process has ended) and the VMM's event stream (its guest did something). The pidfd
is the certain one: should a stream break, the end of the process is still seen.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nova_lite.hv.driver import MachineEvent
from nova_lite.hv.vmm import process
from nova_lite.hv.vmm.client import EventStream, VmmUnreachable

LOG = logging.getLogger(__name__)

_KINDS = {"shutdown": "shutdown", "rebooted": "reset", "crashed": "crashed"}
_STATES = {"Shutdown": "shutdown", "Crashed": "crashed"}


@dataclass
class _Watched:
    uuid: str
    socket: Path
    pidfd: int
    stream: EventStream | None = None
    heard: bool = False


class Watcher:
    """``on_event`` is called in the watcher's thread, never with a lock held."""

    def __init__(self, on_event: Callable[[MachineEvent], None]) -> None:
        self._on_event = on_event
        self._lock = threading.Lock()
        self._by_uuid: dict[str, _Watched] = {}
        self._by_fd: dict[int, _Watched] = {}
        self._epoll = select.epoll()
        self._stop = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll.register(self._stop, select.EPOLLIN)
        self._thread = threading.Thread(target=self._run, name="vmm-watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Watch nothing any more."""
        os.eventfd_write(self._stop, 1)
        if threading.current_thread() is not self._thread:
            self._thread.join()
        for uuid in list(self._by_uuid):
            self.forget(uuid)
        self._epoll.close()
        os.close(self._stop)

    def add(self, uuid: str, socket: Path, pidfd: int) -> None:
        """Watch a VMM; the pidfd stays the caller's (a duplicate is kept)."""
        self.forget(uuid)
        watched = _Watched(uuid, socket, os.dup(pidfd))
        stream = self._connect(watched)
        with self._lock:
            self._by_uuid[uuid] = watched
            self._by_fd[watched.pidfd] = watched
            self._epoll.register(watched.pidfd, select.EPOLLIN)
            self._attach(watched, stream)

    def forget(self, uuid: str) -> None:
        """Report nothing more of this VM: what happens to it now is what we want."""
        with self._lock:
            watched = self._by_uuid.pop(uuid, None)
            if watched is not None:
                self._detach(watched)
                del self._by_fd[watched.pidfd]
                self._epoll.unregister(watched.pidfd)
                os.close(watched.pidfd)

    # -- inside -------------------------------------------------------------------------------------------------

    @staticmethod
    def _connect(watched: _Watched) -> EventStream | None:
        try:
            return EventStream(watched.socket)
        except VmmUnreachable as error:
            LOG.warning("VM %s: %s; only the end of its process will be seen", watched.uuid, error)
            return None

    def _attach(self, watched: _Watched, stream: EventStream | None) -> None:
        watched.stream, watched.heard = stream, False
        if stream is not None:
            self._by_fd[stream.fileno()] = watched
            self._epoll.register(stream.fileno(), select.EPOLLIN)

    def _detach(self, watched: _Watched) -> None:
        stream, watched.stream = watched.stream, None
        if stream is not None:
            del self._by_fd[stream.fileno()]
            self._epoll.unregister(stream.fileno())
            stream.close()

    def _run(self) -> None:
        while True:
            for fd, _events in self._epoll.poll():
                if fd == self._stop:
                    return
                for event in self._look_at(fd):
                    try:
                        self._on_event(event)
                    except Exception:
                        LOG.exception("The listener failed on %s", event)

    def _look_at(self, fd: int) -> list[MachineEvent]:
        """What a descriptor has to say. It may be another's by now: nothing is taken for granted."""
        with self._lock:
            watched = self._by_fd.get(fd)
            if watched is None:
                return []
            if fd != watched.pidfd:
                assert watched.stream is not None
                documents = watched.stream.read()
                if documents is not None:
                    watched.heard = watched.heard or bool(documents)
                    return [event for document in documents for event in _translate(watched.uuid, document)]
                again = watched.heard
                self._detach(watched)
                if not again or process.has_ended(watched.pidfd):
                    return []
        if fd == watched.pidfd:
            if not process.has_ended(fd):
                return []
            self.forget(watched.uuid)
            return [MachineEvent(watched.uuid, "gone", "the VM's process ended")]
        self._reconnect(watched)
        return []

    def _reconnect(self, watched: _Watched) -> None:
        """The stream broke though the process lives (we read too slowly): the new one says where things stand."""
        stream = self._connect(watched)
        with self._lock:
            if self._by_uuid.get(watched.uuid) is watched:
                self._attach(watched, stream)
            elif stream is not None:
                stream.close()


def _translate(uuid: str, document: dict[str, Any]) -> list[MachineEvent]:
    if document["event"] == "subscribed":
        kind = _STATES.get(document["state"])
    elif document["event"] == "device_removed":  # by whomever: a reset of ours takes it as well
        kind = "device_removed"
    elif document["initiator"] == "guest":
        kind = _KINDS.get(document["event"])
    else:
        kind = None
    return [] if kind is None else [MachineEvent(uuid, kind, document["detail"])]
