"""COM1 on a UNIX socket: several clients at once, each with its own place in the console log's ring.

The guest writes to the ring and never waits. A thread, there only while somebody is attached, sends every client what
the ring has gained: the ring is the one buffer, so a client that reads slowly costs no memory and delays nobody; what
was overwritten before it came to it is left out, and it is told how much. What clients type goes to the guest in the
order it comes in; a client whose guest does not read waits, the others do not.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from nova_lite.hv import console_log
from nova_lite.hv.vmm import unix_socket
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError

MAX_CLIENTS = 32
_CHUNK = 4096
_OUTPUT_CHUNK = 1 << 16
#: How long a full receiver of the guest is left alone before it is offered more. It has no event to wait for.
_RETRY_MS = 20
#: What a new client is shown of the past, in bytes and lines.
_PAST_BYTES, _PAST_LINES = 8192, 50
#: Questions to the terminal (ENQ, DA, DSR, DECRQM, DECRQSS, XTWINOPS, OSC colours). Asked again out of the past, they
#: would be answered into the guest as if somebody had typed it.
_QUESTIONS = re.compile(
    rb"\x05|\x1bZ|\x1b\[[0-9;?>=]*[cntx]|\x1b\[[0-9;?>]*\$p|\x1b\[>[0-9]*q|\x1bP[$+]q[^\x1b\x07]*(?:\x1b\\|\x07)"
    rb"|\x1b\][^\x1b\x07]*\?(?:\x1b\\|\x07)"
)


class RelayThread(threading.Thread):
    """Told from other threads by ``nova_lite.hv.vmm.serial.finish_relays``."""


class _Client:
    """One connection. ``position`` is that of the ring's byte that comes next, behind what is ``unsent``."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.position = 0
        self.unsent = b""
        self.typed = b""
        self.reads, self.gone = True, False

    def send(self, ring: int) -> None:
        """Everything that the client takes now."""
        while not self.gone:
            if not self.unsent and not self._fetch(ring):
                return
            try:
                self.unsent = self.unsent[self.connection.send(self.unsent) :]
            except BlockingIOError:
                return
            except OSError:
                self.gone = not self.reads  # what it typed before it left is still to be read
                self.unsent, self.position = b"", 1 << 62

    def _fetch(self, ring: int) -> bool:
        begin, output = console_log.read_from(ring, self.position, _OUTPUT_CHUNK)
        if not output:
            return False
        left_out = begin - self.position
        notice = f"\r\n[{left_out} bytes left out: this console was read too slowly]\r\n" if left_out else ""
        self.position = begin + len(output)
        self.unsent = notice.encode() + output
        return True

    def receive(self) -> None:
        try:
            self.typed = self.connection.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self.typed = b""
        if not self.typed:
            self.reads = False  # it may still be listening: `echo help | nova-lite console SERVER`


class SerialSocket:
    """Listens at ``path``. ``ring`` and ``output_eventfd`` are what the machine is made with.

    ``feed(bytes) -> taken`` is called in the control loop, where all methods belong. Close it after the machine.

    :raises OSError: the socket cannot be made.
    """

    def __init__(self, path: Path, ring: int, loop: ControlLoop, feed: Callable[[bytes], int]) -> None:
        self._path, self._loop, self._feed = path, loop, feed
        self._listener = unix_socket.listen(path)
        self._listener.setblocking(False)
        self.ring = ring
        self.output_eventfd = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._lock = threading.Lock()
        self._new: list[_Client] = []
        self._attached = 0
        self._serving, self._closing = False, False
        loop.watch(self._listener.fileno(), self._accept)

    def close(self) -> None:
        """Clients get the last output, then the end of the line."""
        self._loop.unwatch(self._listener.fileno())
        self._listener.close()
        self._path.unlink(missing_ok=True)
        with self._lock:
            self._closing = True
            serving = self._serving
        if serving:
            os.eventfd_write(self.output_eventfd, 1)
        else:
            self._close_descriptors()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it has gone again
            return
        client = _Client(connection)
        with self._lock:
            if self._attached >= MAX_CLIENTS:
                with contextlib.suppress(OSError):
                    connection.send(f"[{MAX_CLIENTS} consoles are attached to this server already]\r\n".encode())
                connection.close()
                return
            self._attached += 1
            self._new.append(client)
            serving, self._serving = self._serving, True
        if serving:
            os.eventfd_write(self.output_eventfd, 1)
        else:
            RelayThread(target=self._serve, name="serial", daemon=True).start()

    def _serve(self) -> None:
        """The thread: until the last client has gone or the line is closed."""
        clients: list[_Client] = []
        while True:
            with self._lock:
                new, self._new = self._new, []
                clients = [client for client in clients if not client.gone] + new
                self._attached, closing = len(clients), self._closing
                if not clients and not closing:
                    self._serving = False
                    return
            for client in new:
                self._show_past(client)
            if closing:
                break
            self._turn(clients)
        for client in clients:
            client.send(self.ring)
            client.connection.close()
        self._close_descriptors()

    def _turn(self, clients: list[_Client]) -> None:
        console_log.want_more(self.ring)
        for client in clients:
            client.send(self.ring)
        poll = select.poll()
        poll.register(self.output_eventfd, select.POLLIN)
        by_fd = {client.connection.fileno(): client for client in clients}
        for fd, client in by_fd.items():
            wanted = select.POLLIN if client.reads and not client.typed else 0
            poll.register(fd, wanted | (select.POLLOUT if client.unsent else 0))
        stuck = any(client.typed for client in clients)
        for fd, events in poll.poll(_RETRY_MS if stuck else None):
            if fd == self.output_eventfd:
                os.eventfd_read(fd)
                continue
            client = by_fd[fd]
            if events & select.POLLIN and client.reads:
                client.receive()
            elif events & (select.POLLHUP | select.POLLERR | select.POLLNVAL):
                client.reads = False
        for client in clients:
            self._pass_on(client)
            if not client.reads and not client.typed and _has_left(client.connection):
                client.connection.close()
                client.gone = True

    def _pass_on(self, client: _Client) -> None:
        if client.typed:
            try:
                client.typed = client.typed[self._loop.call(self._feed, client.typed) :]
            except VmmError:  # the VMM is shutting down
                client.typed = b""

    def _show_past(self, client: _Client) -> None:
        end = console_log.end_of(self.ring)
        begin, past = console_log.read_from(self.ring, max(0, end - _PAST_BYTES), _PAST_BYTES)
        client.position = begin + len(past)
        lines = past.splitlines(keepends=True)[-_PAST_LINES:]
        if begin > 0 and len(lines) > 1 and len(lines) < _PAST_LINES:
            del lines[0]  # its beginning is missing
        client.unsent = _QUESTIONS.sub(b"", b"".join(lines))

    def _close_descriptors(self) -> None:
        os.close(self.output_eventfd)
        os.close(self.ring)


def _has_left(connection: socket.socket) -> bool:
    """Whether the other end is closed for both directions."""
    poll = select.poll()
    poll.register(connection.fileno(), 0)
    return bool(poll.poll(0))
