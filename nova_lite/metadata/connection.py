"""One connection to the metadata service: HTTP/1.1 for a guest that may send anything, at any pace."""

from __future__ import annotations

import asyncio
import contextlib
import http
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

import h11

#: Request line and headers of a request, in bytes.
MAX_HEAD = 8192
#: Seconds for a request to arrive, headers and all, from the end of the one before; and for an answer to be taken.
WITHIN = 10.0
#: Requests that one connection may make.
MAX_REQUESTS = 1000
_CHUNK = 4096
_LINGER_SECONDS, _LINGER_BYTES = 1.0, 1 << 18
_METHODS = (b"GET", b"HEAD", b"POST")
#: Bytes of what a guest may post.
MAX_BODY = 1020


@dataclass(frozen=True)
class Answer:
    status: http.HTTPStatus
    body: bytes
    media_type: str = "text/plain; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()


def refusal(status: http.HTTPStatus, *headers: tuple[str, str]) -> Answer:
    return Answer(status, f"{status.value} {status.phrase}\n".encode(), headers=headers)


@dataclass(frozen=True)
class Request:
    """``posted``: what came with a POST, None for any other method."""

    path: str
    posted: bytes | None = None


class TooLong(Exception):
    """More than MAX_BODY was posted."""


#: A request → its answer.
Handler = Callable[[Request], Awaitable[Answer]]


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handler: Handler) -> None:
    """Answer requests until the guest has enough, breaks the rules or takes too long."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
    with contextlib.suppress(OSError, TimeoutError):
        for number in range(1, MAX_REQUESTS + 1):
            try:
                async with asyncio.timeout(WITHIN):
                    request = await _request(connection, reader)
                    posted = await _body(connection, reader) if request and request.method == b"POST" else None
            except TooLong:
                await _send(connection, writer, refusal(http.HTTPStatus.BAD_REQUEST), head_only=False, close=True)
                break
            except h11.RemoteProtocolError as error:
                status = http.HTTPStatus(error.error_status_hint)
                await _send(connection, writer, refusal(status), head_only=False, close=True)
                break
            if request is None:
                return
            answer = await _answer(request, posted, handler)
            # What a guest sends along with a GET is not waited for.
            close = number == MAX_REQUESTS or connection.their_state is not h11.DONE
            await _send(connection, writer, answer, request.method == b"HEAD", close)
            if close or connection.our_state is not h11.DONE:
                break
            connection.start_next_cycle()
        await _linger(reader, writer)


async def _linger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hear out what was sent meanwhile, for a moment: a socket closed with data unread takes back what it said last."""
    writer.write_eof()
    left = _LINGER_BYTES
    async with asyncio.timeout(_LINGER_SECONDS):
        while left > 0 and (data := await reader.read(_CHUNK)):
            left -= len(data)


async def _request(connection: h11.Connection, reader: asyncio.StreamReader) -> h11.Request | None:
    """The next request, and its end if that is there at once; None when there will be none."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            if event.method != b"POST":
                connection.next_event()
            return event
        if event is not h11.NEED_DATA:
            return None
        connection.receive_data(await reader.read(_CHUNK))


async def _body(connection: h11.Connection, reader: asyncio.StreamReader) -> bytes:
    """What comes with a request; TooLong as soon as it is more than it may be."""
    body = bytearray()
    while not isinstance(event := connection.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_BODY:
                raise TooLong
        elif event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        else:
            raise h11.RemoteProtocolError("the connection ended in a request")
    return bytes(body)


async def _answer(request: h11.Request, posted: bytes | None, handler: Handler) -> Answer:
    if request.method not in _METHODS:
        return refusal(http.HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD, POST"))
    try:
        path = unquote(urlsplit(request.target.decode("ascii")).path)
    except ValueError:
        return refusal(http.HTTPStatus.BAD_REQUEST)
    return await handler(Request(path, posted))


async def _send(
    connection: h11.Connection, writer: asyncio.StreamWriter, answer: Answer, head_only: bool, close: bool
) -> None:
    headers = [
        ("Content-Type", answer.media_type),
        ("Content-Length", str(len(answer.body))),
        ("Cache-Control", "no-store"),
        *answer.headers,
        *([("Connection", "close")] if close else []),
    ]
    reason = answer.status.phrase.encode()
    parts = [connection.send(h11.Response(status_code=answer.status.value, reason=reason, headers=headers))]
    if not head_only:
        parts.append(connection.send(h11.Data(data=answer.body)))
    parts.append(connection.send(h11.EndOfMessage()))
    writer.write(b"".join(part for part in parts if part))
    async with asyncio.timeout(WITHIN):
        await writer.drain()
