"""The serial proxy: a WebSocket on one side, the serial socket of one server's VMM on the other; and a page for people.

Part of the connection service (nova_lite/connections.py), with a listening socket of its own. What a client may do is
in its token (``?token=``). Nothing here grows with what either side sends: a client that does not read stops us reading
from the VMM, which then leaves output out; one that types more than its guest takes is not read either.
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http
import json
import logging
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit
from weakref import WeakKeyDictionary

from oslo_config import cfg
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from nova_lite import conf as nova_lite_conf
from nova_lite import exceptions
from nova_lite.console import page
from nova_lite.console.urls import base_url
from nova_lite.db import console_tokens
from nova_lite.db.console_tokens import ConsoleAuth
from nova_lite.db.engine import Database
from nova_lite.hv import console_log
from nova_lite.hv.vmm import unix_socket

LOG = logging.getLogger(__name__)

#: As Nova's serial proxy: whoever offers subprotocols offers this one.
SUBPROTOCOL = Subprotocol("binary")
_MAX_MESSAGE = 1 << 16  # bytes; keyboards and pasted text
_CHUNK = 1 << 16
_PAST = 1 << 18  # bytes of the console log that a page is given
_CONNECT_WITHIN = 5.0  # seconds
_PONG_WITHIN = 20.0  # seconds
_FULL = "{} consoles are open already, as many as [console] max_connections allows."
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
        self._admitted: WeakKeyDictionary[ServerConnection, ConsoleAuth] = WeakKeyDictionary()
        self._open: set[ServerConnection] = set()

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set."""
        async with serve(
            self._console,
            sock=listener,
            process_request=self._admit,
            select_subprotocol=_subprotocol,
            compression=None,
            max_size=_MAX_MESSAGE,
            max_queue=4,
            ping_interval=self._conf.console.ping_interval,
            ping_timeout=_PONG_WITHIN,
            write_limit=_CHUNK,
            server_header=None,
        ):
            await stop.wait()
        self._threads.shutdown()
        self._database.close()

    async def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Look at the handshake: None lets it go on."""
        try:
            if "websocket" not in request.headers.get("Upgrade", "").lower():
                return _response(await self._page(request))
            check_origin(request.headers, base_url(self._conf), self._conf.console.allowed_origins)
            self._check_room()
            self._admitted[connection] = await self._authorize(request)
        except Refusal as refusal:
            LOG.info("A console was refused: %s", refusal.reason)
            return _response(page.text(refusal.status, refusal.reason))
        except exceptions.Unavailable as error:
            return _response(page.text(http.HTTPStatus.SERVICE_UNAVAILABLE, str(error)))
        return None

    async def _page(self, request: Request) -> page.Page:
        """What is no WebSocket: the page, its files, and what these ask of the token's server."""
        match = page.PATH.search(urlsplit(request.path).path)
        if match is None:
            raise Refusal(
                http.HTTPStatus.UPGRADE_REQUIRED,
                "This is a WebSocket: connect to it with a ws:// client, or ask for /console with a browser.",
            )
        if match["name"] == "server":
            auth = await self._authorize(request)
            shown = {"id": auth.instance_uuid, "name": auth.instance_name, "expires_at": auth.expires_at.isoformat()}
            return page.answer(json.dumps(shown).encode(), "application/json")
        if match["name"] == "log":
            path = self._paths.console_log((await self._authorize(request)).instance_uuid)
            return page.answer(await self._in_thread(console_log.read_tail, path, _PAST), "application/octet-stream")
        found = page.file(match["name"], "gzip" in request.headers.get("Accept-Encoding", ""))
        return found or page.text(http.HTTPStatus.NOT_FOUND, "The console's page has no such file.")

    def _check_room(self) -> None:
        if len(self._open) >= self._conf.console.max_connections:
            raise Refusal(http.HTTPStatus.SERVICE_UNAVAILABLE, _FULL.format(self._conf.console.max_connections))

    async def _authorize(self, request: Request) -> ConsoleAuth:
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
            self._check_room()  # others may have come since its handshake was looked at
        except Refusal as refusal:
            await connection.close(_TRY_LATER, refusal.reason)
            return
        self._open.add(connection)
        try:
            await self._connect(connection, auth)
        finally:
            self._open.discard(connection)

    async def _connect(self, connection: ServerConnection, auth: ConsoleAuth) -> None:
        try:
            reader, writer = await self._line(auth.instance_uuid)
        except OSError:
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
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _line(self, uuid: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
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


def _response(answer: page.Page) -> Response:
    headers = Headers(answer.headers)
    headers["Date"], headers["Connection"] = email.utils.formatdate(usegmt=True), "close"
    headers["Content-Length"] = str(len(answer.body))
    if answer.status == http.HTTPStatus.UPGRADE_REQUIRED:
        headers["Upgrade"] = "websocket"
    return Response(answer.status.value, answer.status.phrase, headers, answer.body)
