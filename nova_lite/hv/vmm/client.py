"""A client of the VMM's REST API: one short connection per request, and the event stream."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from pathlib import Path
from typing import Any

from nova_lite.hv.vmm import unix_socket

_UCRED = struct.Struct("3i")  # struct ucred: pid, uid, gid


class VmmRefused(Exception):
    """The VMM answered with an error. ``chain``: its sentences, outermost first."""

    def __init__(self, status: int, chain: list[str]) -> None:
        super().__init__(": ".join(chain))
        self.status, self.chain = status, chain


class VmmUnreachable(Exception):
    """Nobody answers at the socket, or not in time."""


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = unix_socket.connect(self._path, self.timeout)


def request(path: Path, method: str, name: str, body: object = None, timeout: float = 10.0) -> Any:
    """One request to ``/api/v1/<name>``; the parsed answer, None when it has no body.

    :raises VmmRefused: the VMM answered with an error.
    :raises VmmUnreachable: it did not answer.
    """
    return _request(path, method, name, body, timeout)[0]


def info(path: Path, timeout: float = 10.0) -> tuple[dict[str, Any], int]:
    """vm.info, and the process that listens at the socket (the kernel's word, not the VMM's)."""
    return _request(path, "GET", "vm.info", None, timeout)


def _request(path: Path, method: str, name: str, body: object, timeout: float) -> tuple[Any, int]:
    connection = _Connection(path, timeout)
    try:
        payload = None if body is None else json.dumps(body)
        connection.request(method, f"/api/v1/{name}", payload, {"Connection": "close"})
        pid = peer_pid(connection.sock)
        response = connection.getresponse()
        answer = response.read()
        document = json.loads(answer) if answer else None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise VmmUnreachable(f"no answer to {name}: {error}") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise VmmRefused(response.status, document if isinstance(document, list) else [response.reason])
    return document, pid


def peer_pid(connection: socket.socket) -> int:
    """The process that made the listening socket at the other end."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(raw)[0])


class EventStream:
    """GET vm.events: ``fileno`` for select, ``read`` for what has come. Raises VmmUnreachable when none can be had."""

    _LONGEST_LINE = 64 << 10

    def __init__(self, path: Path, timeout: float = 5.0) -> None:
        try:
            self._socket = unix_socket.connect(path, timeout)
            self._socket.sendall(b"GET /api/v1/vm.events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self._socket.setblocking(False)
        except OSError as error:
            raise VmmUnreachable(f"no event stream: {error}") from error
        self._buffer = b""
        self._in_head = True

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> list[dict[str, Any]] | None:
        """The events that have come, without waiting; None when the stream has ended."""
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        self._buffer += data
        if self._in_head:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if not separator:
                return []
            if not head.startswith(b"HTTP/1.1 200 "):
                return None
            self._in_head, self._buffer = False, rest
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > self._LONGEST_LINE:
            return None
        try:
            return [json.loads(line) for line in lines]
        except ValueError:
            return None

    def close(self) -> None:
        self._socket.close()
