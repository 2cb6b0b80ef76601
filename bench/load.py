"""A small closed-loop HTTP load generator: a few kept-alive connections, raw sockets, so that the server is what is
measured."""

from __future__ import annotations

import selectors
import socket
import time


def requests_per_second(
    port: int, path: str, headers: dict[str, str], connections: int = 8, seconds: float = 3.0
) -> float:
    """Send GET ``path`` over ``connections`` connections, each its next request when the last is answered.

    :returns: answers a second. RuntimeError for any answer but 200.
    """
    lines = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    selector = selectors.DefaultSelector()
    pending: dict[socket.socket, bytes] = {}
    for _ in range(connections):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(sock, selectors.EVENT_READ)
        pending[sock] = b""
        sock.sendall(request)
    answered = 0
    start = time.monotonic()
    end = start + seconds
    try:
        while time.monotonic() < end:
            for key, _ in selector.select(1.0):
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                data = pending[sock] + sock.recv(65536)
                length = _complete(data)
                if length is None:
                    pending[sock] = data
                    continue
                if not data.startswith(b"HTTP/1.1 200"):
                    raise RuntimeError(f"not 200: {data[:300]!r}")
                answered += 1
                pending[sock] = data[length:]
                sock.sendall(request)
        return answered / (time.monotonic() - start)
    finally:
        selector.close()
        for sock in pending:
            sock.close()


def _complete(data: bytes) -> int | None:
    """The length of the first whole answer in ``data``, or None while a part is missing."""
    head = data.find(b"\r\n\r\n")
    if head < 0:
        return None
    position = data.lower().find(b"content-length:", 0, head)
    if position < 0:
        raise RuntimeError("the answer has no Content-Length")
    length = head + 4 + int(data[position + 15 : data.find(b"\r\n", position)])
    return length if len(data) >= length else None
