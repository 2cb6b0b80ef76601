"""systemd's notification protocol (sd_notify(3)): how a process says that it is ready, without a library."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(message: str) -> None:
    """Send ``message`` (``READY=1``, ``STOPPING=1``, ``STATUS=…``) to whoever started us and asked for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        # Nobody there any more is no reason to fail: readiness is news, not work.
        sock.sendto(message.encode(), "\0" + address[1:] if address.startswith("@") else address)
