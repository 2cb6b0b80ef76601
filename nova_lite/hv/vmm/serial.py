"""The far end of COM1: a terminal, a file or a UNIX socket.

The machine writes its output to ``fd_out`` and never waits. A terminal may be slow, so a thread of its own stands
between: it copies a pipe to the terminal and brings what is typed there to the control loop. What the terminal cannot
take in time is dropped; the console log has it all the same. A socket's clients read the console log's ring instead
(``serial_socket``).
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import threading
from collections.abc import Callable
from pathlib import Path

from nova_lite.hv import console_log
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError
from nova_lite.hv.vmm.serial_socket import RelayThread, SerialSocket

_CHUNK = 4096
#: How long a full receiver of the guest is left alone before it is offered more. It has no event to wait for.
_RETRY_MS = 20
_ESCAPE = b"\x01"  # Ctrl-A, as in QEMU and screen


def finish_relays(timeout: float) -> None:
    """Let the relays of closed serial ports pass on the last output; once the control loop is over."""
    for thread in threading.enumerate():
        if isinstance(thread, RelayThread):
            thread.join(timeout)


class SerialRelay:
    """COM1's far end as ``config`` wants it.

    For the machine: ``fd_out`` and ``output_eventfd``, -1 when nobody listens there, and ``console_log``, the ring.

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
        self.fd_out = self.output_eventfd = -1
        self.console_log: Path | int | None = config.console_log
        self._socket: SerialSocket | None = None
        self._terminal: list[object] | None = None
        mode, path = config.serial_mode, config.serial_path
        if path is not None:
            try:
                self._open_path(config, mode, path)
            except OSError as error:
                reason = error.strerror or str(error)
                raise VmmError(400, "The serial port cannot be set up", f"serial.{mode.lower()}: {reason}") from error
        elif mode == "Tty":
            self._terminal = _make_raw()
            self._relay(_TerminalEnd())

    def _open_path(self, config: VmConfig, mode: str, path: Path) -> None:
        if mode == "File":
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC
            self.fd_out = os.open(path, flags, 0o600)
            return
        if config.console_log is None:
            ring = console_log.create_anonymous()
        else:
            ring = console_log.open_for_writing(config.console_log, config.console_log_size)
        try:
            self._socket = SerialSocket(path, ring, self._loop, self._feed)
        except OSError:
            os.close(ring)
            raise
        self.console_log, self.output_eventfd = ring, self._socket.output_eventfd

    def close(self) -> None:
        """The relay ends once it has passed on what the machine had written."""
        if self._terminal is not None:
            with contextlib.suppress(termios.error):  # it has gone
                termios.tcsetattr(sys.stdin, termios.TCSANOW, self._terminal)  # type: ignore[arg-type]
        if self._socket is not None:
            self._socket.close()
        if self.fd_out >= 0:
            os.close(self.fd_out)

    def _relay(self, end: _TerminalEnd) -> None:
        reader, self.fd_out = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.fd_out, False)
        RelayThread(target=self._run, args=(reader, end), name="serial", daemon=True).start()

    def _run(self, reader: int, end: _TerminalEnd) -> None:
        """The thread: output to the far end, input to the guest; no more is read while the guest's receiver is full."""
        pending = b""
        while True:
            poll = select.poll()
            poll.register(reader, select.POLLIN)
            fd = end.fileno()
            if fd >= 0 and not pending:
                poll.register(fd, select.POLLIN)
            ready = dict(poll.poll(_RETRY_MS if pending else None))
            if reader in ready:
                output = os.read(reader, _CHUNK)
                if not output:
                    break
                end.write(output)
            if fd in ready:
                pending = end.read()
            if end.wants_exit:
                self._call(self._request_exit)
            if pending:
                taken = self._call(self._feed, pending)
                pending = pending[taken:] if taken is not None else b""
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
