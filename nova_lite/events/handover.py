"""How a request that will last leaves the API: its connection is passed to the process that serves events.

An API worker has a few threads; one that waited would be missing to everybody else. So the worker authenticates and
authorizes a request like any other, then sends the client's socket itself (SCM_RIGHTS) over a UNIX socket, with what is
to be done; the answer comes from there. The worker's own descriptor is replaced by one that leads nowhere, so that
whatever its server does to a connection at the end of a request cannot touch the client's.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from nova_lite import exceptions

_ANSWER_WITHIN = 5.0  # seconds
_MAX_MESSAGE = 1 << 16  # bytes
_TAKEN = b"taken"


@dataclass(frozen=True)
class Wish:
    """What a passed connection is to be given.

    ``headers`` of the answer. ``project_id`` the only one whose changes are told, None for all; ``server_id`` and
    ``types`` narrow that. ``last``: the number that the client saw last, None to begin now. With ``operation``, the
    answer is that operation's document (its own link in ``href``) when it has ended or ``timeout`` seconds are over.
    """

    headers: Mapping[str, str]
    project_id: str | None = None
    server_id: str | None = None
    types: list[str] = field(default_factory=list)
    last: int | None = None
    operation: str | None = None
    href: str = ""
    timeout: float = 0.0


class HandedOver:
    """What a controller returns when its client is answered by another process: the body that its server iterates."""

    def __iter__(self) -> Iterator[bytes]:
        # WSGI knows no other way to answer nothing; servers take it for a client that went away, and log nothing.
        raise ConnectionResetError(errno.ECONNRESET, "the connection was handed over")


def hand_over(path: Path, environ: Mapping[str, Any], wish: Wish) -> HandedOver:
    """Pass the connection of a WSGI request to whoever listens on ``path``.

    :raises exceptions.Unavailable: nobody does, it has too many, or this server does not show its connections; the
        connection then still is the caller's to answer on.
    """
    client = environ.get("gunicorn.socket")
    if client is None or environ.get("wsgi.url_scheme") != "http":
        raise exceptions.Unavailable("This server cannot keep connections open; `nova-lite serve` can.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.settimeout(_ANSWER_WITHIN)
        try:
            line.connect(str(path))
            socket.send_fds(line, [orjson.dumps(asdict(wish))], [client.fileno()])
            answer = line.recv(_MAX_MESSAGE)
        except OSError as error:
            raise exceptions.Unavailable("The process that serves events does not answer; try again.") from error
    if answer != _TAKEN:
        raise exceptions.Unavailable(answer.decode(errors="replace") or "The process that serves events has ended.")
    with socket.socket(socket.AF_UNIX) as nowhere:
        os.dup2(nowhere.fileno(), client.fileno(), inheritable=False)
    return HandedOver()


def receive(line: socket.socket) -> tuple[Wish, socket.socket]:
    """The other side: what is wished, and for whom. ValueError when that is not what came."""
    message, descriptors, _, _ = socket.recv_fds(line, _MAX_MESSAGE, 1)
    if len(descriptors) != 1:
        raise ValueError("no connection came with the request")
    client = socket.socket(fileno=descriptors[0])
    try:
        return Wish(**orjson.loads(message)), client
    except (orjson.JSONDecodeError, TypeError) as error:
        client.close()
        raise ValueError(f"a request that cannot be read: {error}") from error


def answer(line: socket.socket, refusal: str | None) -> None:
    """Tell the API that the connection was taken, or why not."""
    line.send(_TAKEN if refusal is None else refusal.encode())
