"""UNIX sockets on paths of any length (the kernel's address holds 107 bytes only)."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST = 107


@contextmanager
def _address(path: Path) -> Iterator[str]:
    """An address for ``path``; a long one is reached through its folder's descriptor."""
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def listen(path: Path, backlog: int = 64) -> socket.socket:
    """A listening socket at ``path`` that only its owner may use; OSError when the path is taken."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    umask = os.umask(0o177)
    try:
        with _address(path) as address:
            listener.bind(address)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(umask)
    return listener


def connect(path: Path, timeout: float | None) -> socket.socket:
    """A connection to the socket at ``path``; ``timeout`` in seconds, for every step on it."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout)
        with _address(path) as address:
            connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection
