"""The event streams of vm.events: who follows the machine gets a line for whatever happens to it.

Runs in the control loop's thread and never waits: a reader whose socket is full is cut off. It may connect again and
learns from the first line where things stand.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import orjson

from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError

MAX_STREAMS = 8
_HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"Server: %s\r\n"
    b"Content-Type: application/x-ndjson\r\n"
    b"Cache-Control: no-store\r\n"
    b"Connection: close\r\n\r\n"
)


class EventStreams:
    """All who follow. ``first`` makes the document that a new stream begins with."""

    def __init__(self, loop: ControlLoop, server: str, first: Callable[[], dict[str, Any]]) -> None:
        self._loop, self._first = loop, first
        self._head = _HEAD % server.encode()
        self._streams: set[socket.socket] = set()

    def add(self, connection: socket.socket) -> None:
        """Take over a connection whose request has been read."""
        if len(self._streams) >= MAX_STREAMS:
            raise VmmError(503, "Too many clients follow the events", f"at most {MAX_STREAMS} may")
        connection.setblocking(False)
        self._streams.add(connection)
        self._loop.watch(connection.fileno(), lambda: self._on_readable(connection))
        self._send(connection, self._head + _line(self._first()))

    def publish(self, document: dict[str, Any]) -> None:
        """Tell everybody."""
        line = _line(document)
        for connection in list(self._streams):
            self._send(connection, line)

    def close(self) -> None:
        for connection in list(self._streams):
            self._drop(connection)

    def _send(self, connection: socket.socket, data: bytes) -> None:
        try:
            complete = connection.send(data) == len(data)
        except OSError:
            complete = False
        if not complete:
            self._drop(connection)

    def _on_readable(self, connection: socket.socket) -> None:
        """A client has nothing more to say; what it sends is dropped, and so is itself when it goes."""
        try:
            gone = not connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            gone = True
        if gone:
            self._drop(connection)

    def _drop(self, connection: socket.socket) -> None:
        self._streams.discard(connection)
        self._loop.unwatch(connection.fileno())
        connection.close()


def _line(document: dict[str, Any]) -> bytes:
    return orjson.dumps(document) + b"\n"
