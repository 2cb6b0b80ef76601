"""Between the machine's output and a slow far end: a terminal, a pseudo-terminal or a UNIX socket with one client.

The machine writes to a pipe. A thread copies it to the far end and brings what is typed there to the control loop.
While the client of a socket does not take what it was sent, nothing more is read from the pipe: a serial port drops
what finds no room in it, a virtio console lets the guest wait. That ends when the client reads, or is cut off because
it did not for too long. Of a pseudo-terminal that nobody reads the newest output is kept.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
import time
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nova_lite.hv.vmm import unix_socket
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError
from nova_lite.hv.vmm.serial_socket import RelayThread

_CHUNK = 4096
#: How long a full receiver of the guest is left alone before it is offered more. It has no event to wait for.
_RETRY_MS = 20
#: Bytes kept for a client of the socket, and of a pseudo-terminal that nobody reads.
_MAX_UNSENT = 1 << 18
#: Seconds in which a client for which so much is kept has to take half of it: Linux' driver spins for its console, and
#: from 20 s on Linux calls that a lock-up.
_PATIENCE = 10.0
_ESCAPE = b"\x01"  # Ctrl-A, as in QEMU and screen


class FarEnd(Protocol):
    """``unsent``: output that waits until the far end takes more; ``lossless``: then nothing is read from the machine.

    All but ``release`` belong to the relay's thread.
    """

    lossless: bool
    unsent: bytes
    wants_exit: bool
    pty: str

    def fileno(self) -> int: ...

    def write(self, output: bytes) -> None: ...

    def read(self) -> bytes: ...

    def give_up(self) -> None:
        """Who shall take ``unsent`` does not: forget both."""

    def close(self) -> None: ...

    def release(self) -> None:
        """Nobody shall come any more; by the control loop, before the last output has gone out."""


class Relay:
    """``fd_out`` is for the machine; ``pty`` the pseudo-terminal's name, if the far end is one.

    ``feed(bytes) -> taken``, ``request_exit()`` and ``resize(columns, rows)`` are called in the control loop; a
    terminal is asked for its size at the start and whenever somebody types. Close it after the machine.
    """

    def __init__(
        self,
        key: str,
        end: FarEnd,
        loop: ControlLoop,
        feed: Callable[[bytes], int],
        request_exit: Callable[[], None],
        resize: Callable[[int, int], None] | None = None,
    ) -> None:
        self._end, self._loop, self._feed, self._request_exit, self._resize = end, loop, feed, request_exit, resize
        self._window = (0, 0)
        self.pty = end.pty
        reader, self.fd_out = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.fd_out, False)
        RelayThread(target=self._run, args=(reader, end), name=key, daemon=True).start()

    def close(self) -> None:
        """The thread ends once it has passed on what the machine had written."""
        self._end.release()
        os.close(self.fd_out)

    def _run(self, reader: int, end: FarEnd) -> None:
        """The thread: output to the far end, input to the guest; no more is read while the guest's receiver is full."""
        pending, over, deadline = b"", False, 0.0
        self._look_at_window(end)
        while not over or (end.lossless and end.unsent):
            # Once it waits, it waits for much of it to go: a client that takes a byte now and then counts as none.
            waits = over or (end.lossless and len(end.unsent) > (_MAX_UNSENT // 2 if deadline else _MAX_UNSENT))
            now = time.monotonic()
            deadline = (deadline or now + _PATIENCE) if waits else 0.0
            if deadline and now >= deadline:
                end.give_up()
                deadline = 0.0
                continue
            poll = select.poll()
            if not waits:
                poll.register(reader, select.POLLIN)
            fd = end.fileno()
            wanted = (0 if pending else select.POLLIN) | (select.POLLOUT if end.unsent else 0)
            if fd >= 0 and wanted:
                poll.register(fd, wanted)
            ready = dict(poll.poll(_RETRY_MS if pending else (deadline - now) * 1000 if deadline else None))
            if reader in ready:
                output = os.read(reader, _CHUNK)
                over = not output
                end.write(output)
            if end.unsent and ready.get(fd, 0) & select.POLLOUT:
                end.write(b"")
            if ready.get(fd, 0) & ~select.POLLOUT and not pending:
                pending = end.read()
                self._look_at_window(end)
            if end.wants_exit:
                self._call(self._request_exit)
            if pending:
                taken = self._call(self._feed, pending)
                pending = pending[taken:] if taken is not None else b""
        end.close()
        os.close(reader)

    def _look_at_window(self, end: FarEnd) -> None:
        fd = end.fileno()
        if self._resize is None or fd < 0 or not os.isatty(fd):
            return
        with contextlib.suppress(OSError):  # it has gone
            size = os.get_terminal_size(fd)
            if (size.columns, size.lines) != self._window:
                self._window = (size.columns, size.lines)
                self._call(self._resize, size.columns, size.lines)

    def _call(self, handler: Callable[..., int | None], *arguments: object) -> int | None:
        try:
            return self._loop.call(handler, *arguments)
        except VmmError:
            return None  # the VMM is shutting down


class TerminalEnd:
    """Standard output, and input if it ``reads``; Ctrl-A x leaves, Ctrl-A Ctrl-A is one Ctrl-A."""

    lossless = True
    pty = ""

    def __init__(self, reads: bool = True) -> None:
        self._stdin, self._stdout = sys.stdin.fileno() if reads else -1, sys.stdout.fileno()
        self._before = _make_raw() if reads else None
        self._escaped = False
        self.wants_exit = False
        self.unsent = b""

    def fileno(self) -> int:
        return self._stdin

    def write(self, output: bytes) -> None:
        while output and self._stdout >= 0:
            try:
                output = output[os.write(self._stdout, output) :]
            except OSError:  # the terminal, or whoever read the pipe, has gone
                self._stdout = -1

    def read(self) -> bytes:
        try:
            typed = os.read(self._stdin, _CHUNK)
        except OSError:
            typed = b""
        if not typed:
            self._stdin = -1
        passed = bytearray()
        for byte in (typed[i : i + 1] for i in range(len(typed))):
            if not self._escaped:
                self._escaped = byte == _ESCAPE
                if not self._escaped:
                    passed += byte
                continue
            self._escaped = False
            if byte in b"xX":
                self.wants_exit = True
            else:
                passed += byte if byte == _ESCAPE else _ESCAPE + byte
        return bytes(passed)

    def give_up(self) -> None:
        """A write to it waits by itself; nothing is kept."""

    def close(self) -> None:
        """The terminal stays."""

    def release(self) -> None:
        if self._before is not None:
            with contextlib.suppress(termios.error):  # it has gone
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._before)  # type: ignore[arg-type]


class PtyEnd:
    """A pseudo-terminal; whoever opens ``pty`` sits at it. It is there as long as the machine is.

    Nobody can tell whether somebody does, so nothing waits for it.
    """

    lossless = False
    wants_exit = False

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()  # the slave stays open, or the master would hang up in between
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.pty = os.ttyname(self._slave)
        self.unsent = b""

    def fileno(self) -> int:
        return self._master

    def write(self, output: bytes) -> None:
        self.unsent = (self.unsent + output)[-_MAX_UNSENT:]
        with contextlib.suppress(BlockingIOError):
            self.unsent = self.unsent[os.write(self._master, self.unsent) :]

    def read(self) -> bytes:
        with contextlib.suppress(BlockingIOError):
            return os.read(self._master, _CHUNK)
        return b""

    def give_up(self) -> None:
        self.unsent = b""

    def close(self) -> None:
        os.close(self._master)
        os.close(self._slave)

    def release(self) -> None:
        """It goes with its last output."""


class SocketEnd:
    """One client of a listening socket; the next is let in when it has gone. Raises OSError: the path is taken."""

    lossless = True
    wants_exit = False
    pty = ""

    def __init__(self, path: Path) -> None:
        self._path, self._listener = path, unix_socket.listen(path, backlog=1)
        self._listener.setblocking(False)
        self._client: socket.socket | None = None
        self._deaf = False
        self.unsent = b""

    def fileno(self) -> int:
        return (self._client or self._listener).fileno()

    def write(self, output: bytes) -> None:
        """Send what the client takes and keep the rest: it may type meanwhile."""
        if self._client is None or self._deaf:
            return
        self.unsent += output
        try:
            self.unsent = self.unsent[self._client.send(self.unsent) :]
        except BlockingIOError:
            return
        except OSError:
            self._deaf, self.unsent = True, b""  # what it typed before it left is still to be read

    def read(self) -> bytes:
        """What the client typed; also where clients come and go."""
        if self._client is None:
            with contextlib.suppress(OSError):  # it has gone again
                self._client, _ = self._listener.accept()
                self._client.setblocking(False)
                self._deaf = False
            return b""
        try:
            typed = self._client.recv(_CHUNK)
        except BlockingIOError:
            return b""
        except OSError:
            typed = b""
        if not typed:
            self._drop_client()
        return typed

    def _drop_client(self) -> None:
        client, self._client, self.unsent = self._client, None, b""
        if client is not None:
            client.close()

    def give_up(self) -> None:
        self._drop_client()

    def close(self) -> None:
        self._drop_client()
        self._listener.close()

    def release(self) -> None:
        self._path.unlink(missing_ok=True)


class OutputFile:
    """Output goes to the file as it comes: no thread, no input. Raises OSError."""

    pty = ""

    def __init__(self, path: Path) -> None:
        self.fd_out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)

    def close(self) -> None:
        os.close(self.fd_out)


def _make_raw() -> list[object] | None:
    """Hand every key to the guest; what the terminal was like before, None when standard input is no terminal."""
    if not sys.stdin.isatty():
        return None
    before = termios.tcgetattr(sys.stdin)
    raw = termios.tcgetattr(sys.stdin)
    raw[0] &= ~(termios.BRKINT | termios.ICRNL | termios.INPCK | termios.ISTRIP | termios.IXON)
    raw[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, raw)
    return before
