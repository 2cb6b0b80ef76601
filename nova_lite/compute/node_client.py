"""The API's side of the node API: calls to the agent of this host over its UNIX socket."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from nova_lite.compute import node_api
from nova_lite.compute.node_api import NodeError, NodeUnavailable

__all__ = ["NodeClient", "NodeError", "NodeUnavailable"]

_TIMEOUT = 5.0
_MAX_REPLY = 256 * 1024 * 1024
_CHUNK = 64 * 1024


class NodeClient:
    """Connections are kept open and shared by the threads of a process, each used by one call at a time."""

    def __init__(self, path: str | os.PathLike[str], timeout: float = _TIMEOUT) -> None:
        """:param timeout: seconds that the agent has for each answer."""
        self._path = Path(path)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []
        self._pid = os.getpid()
        self._ids = itertools.count(1)

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The method's result.

        :raises NodeUnavailable: no agent answers, or it answers what its schema does not allow.
        :raises NodeError: the agent refused; also, before anything is sent, when ``params`` do not fit the schema.
        """
        declared = node_api.methods()[method]
        fault = node_api.fault_of(declared.params, params)
        if fault is not None:
            raise NodeError("InvalidParams", f"{method}: {fault}")
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        reply = self._exchange(orjson.dumps(request) + b"\n")
        if not isinstance(reply, dict) or reply.get("jsonrpc") != "2.0" or reply.get("id") != number:
            raise NodeUnavailable(f"{method}: the agent's answer is no JSON-RPC 2.0 reply to this request")
        if "error" in reply:
            error = reply["error"]
            if not isinstance(error, dict) or not isinstance(error.get("code"), int):
                raise NodeUnavailable(f"{method}: the agent's error is none of JSON-RPC 2.0")
            raise NodeError(node_api.error_names().get(error["code"], "InternalError"), str(error.get("message")))
        fault = node_api.fault_of(declared.result, reply.get("result"))
        if fault is not None:
            raise NodeUnavailable(f"{method}: the agent's answer does not fit its schema: {fault}")
        result: dict[str, Any] = reply["result"]
        return result

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(self, line: bytes) -> Any:
        """Send a line and read one. A kept connection may be of an agent that is gone: then once more on a new one.

        Every method may be repeated: they wake or they read.
        """
        try:
            kept = self._take()
            if kept is not None:
                with contextlib.suppress(ConnectionError, EOFError):
                    return self._talk(kept, line)
            fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            fresh.settimeout(self._timeout)
            with _closed_on_error(fresh):
                fresh.connect(str(self._path))
            return self._talk(fresh, line)
        except TimeoutError as error:
            raise NodeUnavailable(f"no answer within {self._timeout:g} s") from error
        except (OSError, EOFError) as error:
            raise NodeUnavailable(f"no agent answers: {error}") from error
        except orjson.JSONDecodeError as error:
            raise NodeUnavailable(f"the agent's answer is not JSON: {error}") from error

    def _talk(self, connection: socket.socket, line: bytes) -> Any:
        with _closed_on_error(connection):
            connection.sendall(line)
            parts: list[bytes] = []
            size = 0
            while not (parts and parts[-1].endswith(b"\n")):
                part = connection.recv(_CHUNK)
                size += len(part)
                if not part or size > _MAX_REPLY:
                    raise EOFError("the agent closed the connection" if not part else "the answer is too long")
                parts.append(part)
            reply = orjson.loads(b"".join(parts))
        self._give_back(connection)
        return reply

    def _take(self) -> socket.socket | None:
        with self._lock:
            if self._pid != os.getpid():  # forked: the parent's connections are the parent's
                self._pid, self._idle = os.getpid(), []
            return self._idle.pop() if self._idle else None

    def _give_back(self, connection: socket.socket) -> None:
        with self._lock:
            self._idle.append(connection)


@contextlib.contextmanager
def _closed_on_error(connection: socket.socket) -> Iterator[None]:
    """A connection on which something went wrong may hold half an answer: it is never used again."""
    try:
        yield
    except BaseException:
        connection.close()
        raise
