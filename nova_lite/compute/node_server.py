"""The agent's side of the node API: JSON-RPC 2.0, one JSON document a line, on a UNIX socket.

What comes in and what goes out is checked against the method's schema; an answer that does not fit is our bug and
leaves as InternalError.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from nova_lite.compute import node_api
from nova_lite.compute.node_api import NodeError

LOG = logging.getLogger(__name__)

_MAX_BATCH = 100
_MAX_CONNECTIONS = 256

Handler = Callable[..., dict[str, Any]]


class NodeServer:
    """Serves each connection in a thread of its own; ``handlers`` are called with the parameters by name."""

    def __init__(self, path: str | os.PathLike[str], handlers: Mapping[str, Handler]) -> None:
        undone = node_api.methods().keys() ^ handlers.keys()
        if undone:
            raise ValueError(f"methods without handler, or handlers without schema: {', '.join(sorted(undone))}")
        self._path = Path(path)
        self._handlers = handlers
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        """Listen; a socket file that a killed agent left is replaced (the caller holds the agent's lock)."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        os.chmod(self._path, 0o600)
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="node-api", daemon=True).start()

    def close(self) -> None:
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._path.unlink(missing_ok=True)
        with self._lock:
            open_now = [listener, *self._connections]
        for connection in open_now:
            with contextlib.suppress(OSError):  # the other end may have closed it this moment
                connection.shutdown(socket.SHUT_RDWR)
        listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                if self._listener is None:
                    return
                LOG.exception("The node API could not accept a connection")
                continue
            with self._lock:
                full = len(self._connections) >= _MAX_CONNECTIONS
                if not full:
                    self._connections.add(connection)
            if full:
                LOG.warning("The node API has %d connections and takes no more", _MAX_CONNECTIONS)
                connection.close()
                continue
            threading.Thread(target=self._serve, args=(connection,), name="node-api", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as lines:
                while line := lines.readline(node_api.MAX_REQUEST + 1):
                    if len(line) > node_api.MAX_REQUEST:
                        connection.sendall(_line(_failure(None, NodeError("InvalidRequest", "the line is too long"))))
                        return
                    reply = self.answer(line)
                    if reply is not None:
                        connection.sendall(_line(reply))
        except OSError as error:
            LOG.debug("A connection of the node API ended: %s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)

    def answer(self, line: bytes) -> Any:
        """The reply to one line; None when it holds notifications only."""
        try:
            document = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            return _failure(None, NodeError("ParseError", str(error)))
        if not isinstance(document, list):
            return self._one(document)
        if not 0 < len(document) <= _MAX_BATCH:
            return _failure(None, NodeError("InvalidRequest", f"a batch has 1 to {_MAX_BATCH} requests"))
        replies = [reply for reply in map(self._one, document) if reply is not None]
        return replies or None

    def _one(self, request: Any) -> dict[str, Any] | None:
        number = request.get("id") if isinstance(request, dict) else None
        if isinstance(number, bool) or not isinstance(number, int | float | str | None):
            number = None
        try:
            result = self._run(request)
        except NodeError as error:
            wants_reply = "id" in request if isinstance(request, dict) and error.name != "InvalidRequest" else True
            return _failure(number, error) if wants_reply else None
        return {"jsonrpc": "2.0", "id": number, "result": result} if "id" in request else None

    def _run(self, request: Any) -> dict[str, Any]:
        _check_request(request)
        name, params = request["method"], request.get("params", {})
        method = node_api.methods().get(name)
        if method is None:
            raise NodeError("MethodNotFound", f"there is no method {name}")
        fault = node_api.fault_of(method.params, params)
        if fault is not None:
            raise NodeError("InvalidParams", fault)
        try:
            result = self._handlers[name](**params)
        except NodeError as error:
            if error.name not in method.errors:
                LOG.error("%s raised %s, which its schema does not declare", name, error.name)
                raise NodeError("InternalError", "the agent failed; its log says how") from error
            raise
        except Exception as error:
            LOG.exception("%s failed", name)
            raise NodeError("InternalError", "the agent failed; its log says how") from error
        fault = node_api.fault_of(method.result, result)
        if fault is not None:
            LOG.error("%s answered what its schema does not allow: %s", name, fault)
            raise NodeError("InternalError", "the agent failed; its log says how")
        return result


def _check_request(request: Any) -> None:
    fault = None
    if not isinstance(request, dict):
        fault = "a request is an object"
    elif request.get("jsonrpc") != "2.0":
        fault = "'jsonrpc' must be \"2.0\""
    elif not isinstance(request.get("method"), str):
        fault = "'method' must be a string"
    elif isinstance(request.get("id"), bool) or not isinstance(request.get("id"), int | float | str | None):
        fault = "'id' must be a string, a number or null"
    elif unknown := request.keys() - {"jsonrpc", "id", "method", "params"}:
        fault = f"unknown members: {', '.join(sorted(unknown))}"
    if fault is not None:
        raise NodeError("InvalidRequest", fault)


def _failure(number: Any, error: NodeError) -> dict[str, Any]:
    data = {"name": error.name}
    return {"jsonrpc": "2.0", "id": number, "error": {"code": error.code, "message": str(error), "data": data}}


def _line(reply: Any) -> bytes:
    return orjson.dumps(reply) + b"\n"
