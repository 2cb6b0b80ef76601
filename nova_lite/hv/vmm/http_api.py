"""REST on a UNIX socket: Cloud Hypervisor's paths, verbs, bodies and codes.

A thread serves each connection, turns each request into a command of the control loop and waits for its reply. There
are few such threads: when a client too many comes, the one that has been silent for longest is cut off.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any

import orjson

import nova_lite
from nova_lite.hv.vmm import config
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError

LOG = logging.getLogger(__name__)

BASE = "/api/v1/"
MAX_BODY = 4 << 20
MAX_CONNECTIONS = 16
_MAX_LINE, _MAX_HEADERS = 65536, 100
_VERSION = re.compile(r"HTTP/[0-9]\.[0-9]")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Seconds a client may take for its next bytes.
IDLE_TIMEOUT = 30.0


@dataclass(frozen=True)
class Endpoint:
    """One path: its method, the documents that go in and out (names in the schemas) and its codes beside 400, 500."""

    method: str
    summary: str
    body: str | None = None
    answer: str | None = None
    codes: tuple[int, ...] = ()


#: Every path below /api/v1/; routing, --help's list and the OpenAPI document come from here.
ENDPOINTS: dict[str, Endpoint] = {
    "vmm.ping": Endpoint("GET", "Ask whether the VMM answers.", answer="VmmPingResponse"),
    "vmm.shutdown": Endpoint("PUT", "Stop the machine and end the VMM."),
    "vm.create": Endpoint("PUT", "Define the machine.", body="VmConfig", codes=(409,)),
    "vm.delete": Endpoint("PUT", "Stop the machine and forget it; nothing to do when there is none."),
    "vm.boot": Endpoint("PUT", "Start the machine.", codes=(404, 405)),
    "vm.shutdown": Endpoint("PUT", "Switch the machine off at once.", codes=(404, 405)),
    "vm.reboot": Endpoint("PUT", "Reset the machine and boot it again.", codes=(404, 405)),
    "vm.pause": Endpoint("PUT", "Stop the virtual CPUs.", codes=(404, 405)),
    "vm.resume": Endpoint("PUT", "Let the virtual CPUs go on.", codes=(404, 405)),
    "vm.power-button": Endpoint("PUT", "Press the power button; the guest does as it likes.", codes=(404, 405)),
    "vm.nmi": Endpoint("PUT", "Send a non-maskable interrupt to every virtual CPU.", codes=(404, 405)),
    "vm.coredump": Endpoint(
        "PUT",
        "Write memory and registers of the paused machine to a new file.",
        body="VmCoredumpData",
        codes=(404, 405),
    ),
    "vm.snapshot": Endpoint(
        "PUT", "Save the paused machine in a new folder.", body="VmSnapshotConfig", codes=(404, 405)
    ),
    "vm.restore": Endpoint(
        "PUT", "Create the machine that was saved in a folder, paused.", body="RestoreConfig", codes=(404, 409)
    ),
    "vm.add-disk": Endpoint(
        "PUT", "Add a disk: at once if the machine is on.", body="DiskConfig", answer="PciDeviceInfo", codes=(404, 405)
    ),
    "vm.add-net": Endpoint(
        "PUT",
        "Add a network card: at once if the machine is on.",
        body="NetConfig",
        answer="PciDeviceInfo",
        codes=(404, 405),
    ),
    "vm.add-vsock": Endpoint(
        "PUT",
        "Add the vsock device: at once if the machine is on.",
        body="VsockConfig",
        answer="PciDeviceInfo",
        codes=(404, 405),
    ),
    "vm.remove-device": Endpoint(
        "PUT",
        "Remove a disk, a network card or the vsock device; of a machine that is on, once its guest lets go of it.",
        body="VmRemoveDevice",
        codes=(404, 405),
    ),
    "vm.disk-log": Endpoint(
        "PUT",
        "Take note of what is written to a disk, for who copies it meanwhile; tell it; or stop.",
        body="VmDiskLog",
        answer="VmDiskLogData",
        codes=(404, 405),
    ),
    "vm.resize": Endpoint("PUT", "Ask for another size of the machine or its balloon.", body="VmResize", codes=(404,)),
    "vm.info": Endpoint("GET", "Show the machine.", answer="VmInfo", codes=(404,)),
    "vm.counters": Endpoint("GET", "Show what the devices have counted.", answer="VmCounters", codes=(404, 405)),
    "vm.events": Endpoint(
        "GET",
        "Follow what happens to the machine: one JSON document a line, until the client or the VMM goes.",
        answer="VmEvent",
        codes=(503,),
    ),
}

#: What checks and reads a document that goes in.
_READERS: dict[str, Callable[[object], Any]] = {
    "VmConfig": config.parse,
    "VmCoredumpData": config.parse_coredump,
    "VmResize": config.parse_resize,
}


def _read(name: str, body: object) -> Any:
    if name in _READERS:
        return _READERS[name](body)
    if name in ("VmSnapshotConfig", "RestoreConfig"):
        from nova_lite.hv.vmm import snapshot

        return snapshot.parse(name, body)
    from nova_lite.hv.vmm import hotplug

    return hotplug.parse(name, body)


#: What the VMM does for a path: called in the control loop, with the parsed body if the path has one.
Commands = dict[str, Callable[..., Any]]


def server_name() -> str:
    """The Server header of every answer."""
    return f"nova-lite-vmm/{nova_lite.__version__}"


class _Handler(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_TIMEOUT
    wbufsize = -1

    raw_requestline: bytes
    server: Connections  # type: ignore[assignment]  # socketserver's type; any object will do

    def parse_request(self) -> bool:
        """Request line and headers. http.server's own way is the e-mail parser, which costs every VMM 300 KiB."""
        self.command, self.request_version, self.close_connection = "", self.protocol_version, True
        self.requestline = self.raw_requestline.decode("latin-1").rstrip("\r\n")
        words = self.requestline.split(" ")
        if len(words) != 3 or not _VERSION.fullmatch(words[2]):
            self.send_error(400, "the request line is broken")
            return False
        if words[2] not in ("HTTP/1.0", "HTTP/1.1"):
            self.send_error(505)
            return False
        self.command, self.path, self.request_version = words
        self.fields: dict[str, list[str]] = {}
        for _ in range(_MAX_HEADERS):
            line = self.rfile.readline(_MAX_LINE + 1)
            if line in (b"\r\n", b"\n"):
                break
            name, colon, value = line.decode("latin-1").partition(":")
            if len(line) > _MAX_LINE or not colon or not _NAME.fullmatch(name):
                self.send_error(431 if len(line) > _MAX_LINE else 400, "a header is too long or broken")
                return False
            self.fields.setdefault(name.lower(), []).append(value.strip())
        else:
            self.send_error(431, f"more than {_MAX_HEADERS} headers")
            return False
        wishes = ",".join(self.fields.get("connection", ())).lower()
        self.close_connection = "close" in wishes or (words[2] == "HTTP/1.0" and "keep-alive" not in wishes)
        if "100-continue" in ",".join(self.fields.get("expect", ())).lower() and words[2] == "HTTP/1.1":
            return self.handle_expect_100()
        return True

    def handle_expect_100(self) -> bool:
        """No invitation for a body that would be refused."""
        return True if self._announced_length() is None else super().handle_expect_100()

    def _serve(self) -> None:
        try:
            body = self._read_body()
            with self.server.busy(self.connection):
                self._run(body)
        except VmmError as error:
            self._answer_error(error)
        except OSError:
            raise
        except Exception:
            LOG.exception("%s failed", self.requestline)
            self._answer_error(VmmError(500, "The VMM failed", "see its log"))

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_TRACE = _serve

    def _run(self, body: bytes) -> None:
        path = self.path.partition("?")[0]
        name = path.removeprefix(BASE)
        endpoint = ENDPOINTS.get(name) if path.startswith(BASE) else None
        if endpoint is None:
            raise VmmError(404, "There is no such path", f"{path[:200]}; known below {BASE}: {', '.join(ENDPOINTS)}")
        if self.command != endpoint.method:
            error = VmmError(405, "The method is not allowed", f"{name} takes {endpoint.method}")
            self._answer_error(error, {"Allow": endpoint.method})
            return
        if name == "vm.events":
            self._hand_over()
            return
        command = self.server.commands[name]
        arguments = (_read(endpoint.body, _parse_json(body)),) if endpoint.body else ()
        result = self.server.loop.call(command, *arguments)
        if result is None:
            self._answer(204, None)
        else:
            self._answer(200, orjson.dumps(result))

    def _hand_over(self) -> None:
        """Give the connection to the control loop, which writes events to it; this thread is done with it."""
        connection = socket.socket(fileno=os.dup(self.connection.fileno()))
        self.close_connection = True
        try:
            self.server.loop.call(self.server.commands["vm.events"], connection)
        except VmmError:
            connection.close()
            raise

    # -- reading ------------------------------------------------------------------------------------------------

    def _announced_length(self) -> int | None:
        """Content-Length; None when it cannot be accepted (``_read_body`` says why)."""
        lengths = set(self.fields.get("content-length", ["0"]))
        text = lengths.pop()
        if lengths or not (text.isascii() and text.isdigit()) or len(text) > 18 or int(text) > MAX_BODY:
            return None
        return int(text)

    def _read_body(self) -> bytes:
        length = self._announced_length()
        if "transfer-encoding" in self.fields:
            self.close_connection = True
            raise VmmError(411, "The request has no Content-Length", "chunked bodies are not accepted")
        if length is None:
            self.close_connection = True
            text, *more = self.fields["content-length"]
            if text.isascii() and text.isdigit() and not more:
                raise VmmError(413, "The request is too large", f"at most {MAX_BODY} bytes are accepted")
            raise VmmError(400, "The request cannot be read", "Content-Length is not one number")
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError("the client went away in the middle of its request")
        return body

    # -- answering ----------------------------------------------------------------------------------------------

    def _answer_error(self, error: VmmError, headers: dict[str, str] | None = None) -> None:
        self._answer(error.status, orjson.dumps(error.chain), headers)

    def _answer(self, status: int, body: bytes | None, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        self.send_header("Server", server_name())
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if body is not None:
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if body is not None and self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What http.server refuses by itself (a broken request line, an unknown method), in our form."""
        self.close_connection = True
        self.request_version = self.protocol_version  # http.server begins with HTTP/0.9, which has no headers
        self._answer_error(VmmError(code, "The request cannot be read", message or HTTPStatus(code).phrase))

    def address_string(self) -> str:
        """A UNIX socket's client has no address."""
        return "client"

    def log_message(self, format: str, *args: Any) -> None:
        """http.server's own lines."""
        LOG.debug(format, *args)


def _parse_json(body: bytes) -> Any:
    if not body:
        raise VmmError(400, "The request has no body", "send one as JSON")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise VmmError(400, "The body is not JSON", str(error)) from error


class Connections:
    """The clients of the listening socket, a thread for each."""

    def __init__(self, listener: socket.socket, loop: ControlLoop, commands: Commands) -> None:
        self._listener, self.loop, self.commands = listener, loop, commands
        self._lock = threading.Lock()
        self._silent_since: dict[socket.socket, float] = {}
        self._threads: dict[socket.socket, threading.Thread] = {}
        loop.watch(listener.fileno(), self._accept)

    @contextlib.contextmanager
    def busy(self, connection: socket.socket) -> Iterator[None]:
        """While its request is worked on, a connection is not silent."""
        with self._lock:
            self._silent_since.pop(connection, None)
        try:
            yield
        finally:
            with self._lock:
                self._silent_since[connection] = time.monotonic()

    def finish(self, timeout: float) -> None:
        """Take no more clients and let requests under way send their answers."""
        self.loop.unwatch(self._listener.fileno())
        with self._lock:
            busy = [thread for c, thread in self._threads.items() if c not in self._silent_since]
        end = time.monotonic() + timeout
        for thread in busy:
            thread.join(max(0.0, end - time.monotonic()))

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError as error:
            LOG.debug("A client went away before it was let in: %s", error)
            return
        with self._lock:
            if len(self._threads) >= MAX_CONNECTIONS:
                self._cut_off_most_silent()
            if len(self._threads) >= 2 * MAX_CONNECTIONS:  # all of them busy
                connection.close()
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="http", daemon=True)
            self._threads[connection] = thread
            self._silent_since[connection] = time.monotonic()
        thread.start()

    def _cut_off_most_silent(self) -> None:
        if self._silent_since:
            victim = min(self._silent_since, key=self._silent_since.__getitem__)
            del self._silent_since[victim]
            with contextlib.suppress(OSError):  # it has gone by itself
                victim.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        try:
            _Handler(connection, "", self)  # type: ignore[arg-type]  # serves until the connection ends
        except OSError as error:
            LOG.debug("A client went away: %s", error)
        finally:
            with self._lock:
                self._silent_since.pop(connection, None)
                del self._threads[connection]
            connection.close()
