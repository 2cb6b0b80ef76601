"""The far end of COM1: a terminal, a file or a UNIX socket.

The machine writes its output to ``fd_out`` and never waits. A terminal or a socket may be slow, so a thread of its own
stands between: it copies a pipe to the far end and brings what is typed there to the control loop. What the far end
cannot take in time is dropped; the console log has it all the same.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path

from nova_lite.hv.vmm import unix_socket
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError

_CHUNK = 4096
#: How long a full receiver of the guest is left alone before it is offered more. It has no event to wait for.
_RETRY_MS = 20
#: Bytes kept for a client of the serial socket that does not read; it is cut off when there are more.
_MAX_UNSENT = 1 << 18
_ESCAPE = b"\x01"  # Ctrl-A, as in QEMU and screen


class _RelayThread(threading.Thread):
    """Told from other threads by ``finish_relays``."""


def finish_relays(timeout: float) -> None:
    """Let the relays of closed serial ports pass on the last output; once the control loop is over."""
    for thread in threading.enumerate():
        if isinstance(thread, _RelayThread):
            thread.join(timeout)


class SerialRelay:
    """COM1's far end as ``config`` wants it. ``fd_out`` is for the machine, -1 when nobody listens.

    ``feed(bytes) -> taken`` and ``request_exit()`` are called in the control loop. Close it after the machine.

    :raises VmmError: the file or the socket cannot be had.
    """

    def __init__(
        self,
        config: VmConfig,
        loop: ControlLoop,
        feed: Callable[[bytes], int],
        request_exit: Callable[[], None],
    ) -> None:
        self._loop, self._feed, self._request_exit = loop, feed, request_exit
        self.fd_out = -1
        self._path: Path | None = None
        self._terminal: list[object] | None = None
        mode, path = config.serial_mode, config.serial_path
        if path is not None:
            try:
                self._open_path(mode, path)
            except OSError as error:
                reason = error.strerror or str(error)
                raise VmmError(400, "The serial port cannot be set up", f"serial.{mode.lower()}: {reason}") from error
        elif mode == "Tty":
            self._terminal = _make_raw()
            self._relay(_TerminalEnd())

    def _open_path(self, mode: str, path: Path) -> None:
        if mode == "File":
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
            self.fd_out = os.open(path, flags, 0o600)
            return
        listener = unix_socket.listen(path, backlog=1)
        self._path = path
        self._relay(_SocketEnd(listener))

    def close(self) -> None:
        """The relay ends once it has passed on what the machine had written."""
        if self._terminal is not None:
            with contextlib.suppress(termios.error):  # it has gone
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._terminal)  # type: ignore[arg-type]
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if self.fd_out >= 0:
            os.close(self.fd_out)

    def _relay(self, end: _TerminalEnd | _SocketEnd) -> None:
        reader, self.fd_out = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.fd_out, False)
        _RelayThread(target=self._run, args=(reader, end), name="serial", daemon=True).start()

    def _run(self, reader: int, end: _TerminalEnd | _SocketEnd) -> None:
        """The thread: output to the far end, input to the guest; no more is read while the guest's receiver is full."""
        pending = b""
        while True:
            poll = select.poll()
            poll.register(reader, select.POLLIN)
            fd = end.fileno()
            if fd >= 0:
                poll.register(fd, (0 if pending else select.POLLIN) | (select.POLLOUT if end.unsent else 0))
            ready = dict(poll.poll(_RETRY_MS if pending else None))
            if reader in ready:
                output = os.read(reader, _CHUNK)
                if not output:
                    break
                end.write(output)
            if end.unsent and ready.get(fd, 0) & select.POLLOUT:
                end.write(b"")
            if ready.get(fd, 0) & ~select.POLLOUT:
                pending = end.read()
            if end.wants_exit:
                self._call(self._request_exit)
            if pending:
                taken = self._call(self._feed, pending)
                pending = pending[taken:] if taken is not None else b""
        end.close()
        os.close(reader)

    def _call(self, handler: Callable[..., int | None], *arguments: object) -> int | None:
        try:
            return self._loop.call(handler, *arguments)
        except VmmError:
            return None  # the VMM is shutting down


class _TerminalEnd:
    """Standard input and output; Ctrl-A x leaves, Ctrl-A Ctrl-A is one Ctrl-A."""

    def __init__(self) -> None:
        self._stdin, self._stdout = sys.stdin.fileno(), sys.stdout.fileno()
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

    def close(self) -> None:
        """The terminal stays."""


class _SocketEnd:
    """One client of a listening socket; the next is let in when it has gone."""

    wants_exit = False

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
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
            if len(self.unsent) > _MAX_UNSENT:
                self._drop_client()
        except OSError:
            self._deaf, self.unsent = True, b""  # what it typed before it left is still to be read

    def read(self) -> bytes:
        """What the client typed; also where clients come and go."""
        if self._client is None:
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

    def close(self) -> None:
        self._drop_client()
        self._listener.close()


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
