"""The serial proxy: a WebSocket on one side, the serial socket of one server's VMM on the other.

A process of its own, as connections last: started by ``nova-lite serve`` with the socket that it shall answer on.
What a client may do is in its token (``?token=``). Nothing here grows with what either side sends: a client that does
not read stops us reading from the VMM, which then leaves output out; one that types more than its guest takes is not
read either.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import http
import logging
import signal
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from oslo_config import cfg
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from nova_lite import conf as nova_lite_conf
from nova_lite import exceptions, log
from nova_lite.compute.consoles import base_url
from nova_lite.db import console_tokens
from nova_lite.db.console_tokens import ConsoleAuth
from nova_lite.db.engine import Database
from nova_lite.hv.vmm import unix_socket

LOG = logging.getLogger(__name__)

#: As Nova's serial proxy: whoever offers subprotocols offers this one.
SUBPROTOCOL = Subprotocol("binary")
MAX_CONSOLES = 1000
_MAX_MESSAGE = 1 << 16  # bytes; keyboards and pasted text
_CHUNK = 1 << 16
_CONNECT_WITHIN = 5.0  # seconds
_NORMAL, _GOING_AWAY, _POLICY, _TRY_LATER = 1000, 1001, 1008, 1013


@dataclass(frozen=True)
class Refusal(Exception):
    """Why a handshake is answered with an HTTP status instead."""

    status: http.HTTPStatus
    reason: str


class SerialProxy:
    """Serves consoles of the servers of ``conf.host``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf, self._paths = conf, nova_lite_conf.paths(conf)
        self._database = Database(conf.database.connection or f"sqlite:///{self._paths.database}", durable=False)
        # What waits for the database or a socket does it here; the loop never waits.
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="proxy")
        self._admitted: dict[ServerConnection, ConsoleAuth] = {}

    async def run(self, listener: socket.socket) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with serve(
            self._console,
            sock=listener,
            process_request=self._admit,
            select_subprotocol=_subprotocol,
            compression=None,
            max_size=_MAX_MESSAGE,
            max_queue=4,
            write_limit=_CHUNK,
            server_header=None,
        ):
            await stop.wait()
        self._threads.shutdown()

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Look at the handshake: None lets it go on."""
        try:
            auth = await self._authorize(request)
        except Refusal as refusal:
            LOG.info("A console was refused: %s", refusal.reason)
            return _answer(connection, refusal)
        except exceptions.Unavailable as error:
            return _answer(connection, Refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, str(error)))
        self._admitted[connection] = auth
        return None

    async def _authorize(self, request: Request) -> ConsoleAuth:
        headers = request.headers
        if "websocket" not in headers.get("Upgrade", "").lower():
            raise Refusal(http.HTTPStatus.UPGRADE_REQUIRED, "This is a WebSocket: connect to it with a ws:// client.")
        check_origin(headers, base_url(self._conf), self._conf.console.allowed_origins)
        if len(self._admitted) >= MAX_CONSOLES:
            raise Refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, f"{MAX_CONSOLES} consoles are open already.")
        tokens = parse_qs(urlsplit(request.path).query, max_num_fields=16).get("token", [])
        auth = await self._in_thread(self._find, tokens[0]) if len(tokens) == 1 else None
        if auth is None or auth.host != self._conf.host:
            raise Refusal(http.HTTPStatus.FORBIDDEN, "The token is unknown or has expired; ask for a new console URL.")
        return auth

    def _find(self, token: str) -> ConsoleAuth | None:
        with self._database.read() as connection:
            return console_tokens.find(connection, token)

    async def _console(self, connection: ServerConnection) -> None:
        """One client, from its handshake to its end."""
        auth = self._admitted[connection]
        try:
            reader, writer = await self._open(auth.instance_uuid)
        except OSError:
            self._admitted.pop(connection)
            await connection.close(_TRY_LATER, "the server does not run")
            return
        LOG.info("A console of server %s is open", auth.instance_uuid)
        limit = None
        if self._conf.consoleauth.enforce_session_timeout:
            limit = max(0.0, (auth.expires_at - datetime.now(UTC)).total_seconds())
        shows = asyncio.create_task(_show(reader, connection))
        types = asyncio.create_task(_type(connection, writer))
        try:
            done, _ = await asyncio.wait({shows, types}, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                await connection.close(_POLICY, "the console's token has expired")
            elif shows in done:
                await connection.close(_GOING_AWAY, "the server's VM has ended")
            else:
                await connection.close(_NORMAL)
        finally:
            for task in (shows, types):
                task.cancel()
            await asyncio.gather(shows, types, return_exceptions=True)
            self._admitted.pop(connection)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _open(self, uuid: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        path = self._paths.serial_socket(uuid)
        line = await self._in_thread(unix_socket.connect, path, _CONNECT_WITHIN)
        line.setblocking(False)
        return await asyncio.open_unix_connection(sock=line, limit=_CHUNK)

    async def _in_thread(self, function, *arguments):  # type: ignore[no-untyped-def]
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


async def _show(reader: asyncio.StreamReader, connection: ServerConnection) -> None:
    with contextlib.suppress(ConnectionClosed, OSError):
        while output := await reader.read(_CHUNK):
            await connection.send(output)


async def _type(connection: ServerConnection, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionClosed, OSError):
        async for message in connection:
            writer.write(message.encode() if isinstance(message, str) else message)
            await writer.drain()


def check_origin(headers: Headers, url: str, allowed: Sequence[str]) -> None:
    """A page of another site must not open consoles with what a browser knows. :raises Refusal: it is such a page.

    As Nova: the Origin's host is that of the request or an allowed one, its scheme that of ``[serial_console]
    base_url``. Clients that are no browsers send none.
    """
    origins = headers.get_all("Origin")
    if not origins:
        return
    forbidden = http.HTTPStatus.FORBIDDEN
    try:
        origin, host = urlsplit(origins[0]), urlsplit(f"//{headers.get('Host', '')}").hostname
        name = origin.hostname
    except ValueError as error:
        raise Refusal(forbidden, "The Origin header is not valid.") from error
    if len(origins) > 1 or not name or name not in {host, *(entry.lower() for entry in allowed)}:
        raise Refusal(forbidden, "The Origin header is not valid: see [console] allowed_origins.")
    if origin.scheme != {"ws": "http", "wss": "https"}.get(urlsplit(url).scheme):
        raise Refusal(forbidden, "The Origin header's protocol is not that of [serial_console] base_url.")


def _subprotocol(_connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return SUBPROTOCOL if SUBPROTOCOL in offered else None


def _answer(connection: ServerConnection, refusal: Refusal) -> Response:
    response = connection.respond(refusal.status, f"{refusal.reason}\n")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'"
    if refusal.status == http.HTTPStatus.UPGRADE_REQUIRED:
        response.headers["Upgrade"] = "websocket"
    return response


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="nova-lite-serialproxy", description="Servers' serial consoles over WebSockets; run by `nova-lite serve`."
    )
    parser.add_argument("--config-file", action="append", default=[])
    parser.add_argument("--listen-fd", type=int, required=True)
    arguments = parser.parse_args()
    options = nova_lite_conf.load(config_files=arguments.config_file or None)
    log.setup(options)
    logging.getLogger("websockets").setLevel(logging.ERROR)
    asyncio.run(SerialProxy(options).run(socket.socket(fileno=arguments.listen_fd)))


if __name__ == "__main__":
    main()
