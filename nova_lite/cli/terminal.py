"""This terminal, tied to a server's serial line: raw while it lasts, as it was before however it ends."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import socket
import sys
import termios
import tty
from collections.abc import Iterator

_CHUNK = 1 << 16
#: Most typed or piped bytes that wait for a guest that does not read; no more is read from standard input until then.
_MAX_UNSENT = 1 << 16
_QUIT, _SIZE = b"qQ.", b"sS"
#: What a guest's program may have left behind in the terminal: colours, hidden cursor, mouse and paste modes, keypad.
_TIDY = b"\x1b[0m\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?1l\x1b>"
_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


def escape_key(text: str) -> bytes | None:
    """``^]`` or ``ctrl-]`` as the byte that the keys send; None for ``none``. ValueError when it is no such key."""
    if text.lower() == "none":
        return None
    key = text.lower().removeprefix("ctrl-").removeprefix("^")
    if len(key) != 1 or key == text or not 1 <= (code := ord(key.upper()) ^ 0x40) < 0x20:
        raise ValueError(f"{text!r} is no control key: write ^] or ctrl-], with one of a-z [ \\ ] ^ _; or none")
    return bytes([code])


def key_name(key: bytes) -> str:
    return f"Ctrl-{chr(key[0] ^ 0x40)}"


class Session:
    """Standard input and output on ``line``. ``run`` returns why it ended: ``quit``, ``ended`` (the far end closed),
    ``input over`` or the name of a signal.

    :param escape: the byte that commands begin with, when standard input is a terminal.
    :param linger: seconds of silence after the end of piped input until the session ends; None waits for the far end.
    """

    def __init__(self, line: socket.socket, escape: bytes | None, read_only: bool, linger: float | None) -> None:
        self._line, self._escape, self._read_only, self._linger = line, escape, read_only, linger
        self._stdin, self._stdout = sys.stdin.fileno(), sys.stdout.fileno()
        self._is_terminal = os.isatty(self._stdin)
        self._escaped = False
        self._unsent = b""
        self._input_over = read_only
        self._result = ""

    def run(self) -> str:
        with _signals() as wakened, self._raw():
            self._line.setblocking(False)
            while not self._result:
                self._turn(wakened)
        return self._result

    def _turn(self, wakened: int) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(wakened, selectors.EVENT_READ)
            writes = selectors.EVENT_WRITE if self._unsent else 0
            selector.register(self._line, selectors.EVENT_READ | writes)
            if not self._input_over and len(self._unsent) < _MAX_UNSENT:
                with contextlib.suppress(PermissionError):  # a plain file: epoll knows no waiting for it
                    selector.register(self._stdin, selectors.EVENT_READ)
            plain = self._stdin not in selector.get_map() and not self._input_over and len(self._unsent) < _MAX_UNSENT
            quiet = self._input_over and not self._read_only and not self._unsent
            ready = selector.select(0 if plain else self._linger if quiet else None)
        found = {key.fd: mask for key, mask in ready}
        if wakened in found:
            self._result = signal.Signals(os.read(wakened, 1)[0]).name
            return
        if plain or self._stdin in found:
            self._take_input()
        mask = found.get(self._line.fileno(), 0)
        if mask & selectors.EVENT_WRITE or (self._unsent and not mask):
            self._send()
        if mask & selectors.EVENT_READ:
            self._show()
        if not found and quiet:
            self._result = "input over"

    def _show(self) -> None:
        try:
            output = self._line.recv(_CHUNK)
        except BlockingIOError:
            return
        except ConnectionError:
            output = b""
        if not output:
            self._result = self._result or "ended"
        try:
            while output:
                output = output[os.write(self._stdout, output) :]
        except BrokenPipeError:  # `nova-lite console one | head`
            self._result = "quit"

    def _send(self) -> None:
        try:
            self._unsent = self._unsent[self._line.send(self._unsent) :]
        except BlockingIOError:
            return
        except ConnectionError:
            self._unsent = b""  # what it said before it closed is still to be read

    def _take_input(self) -> None:
        typed = os.read(self._stdin, 4096)
        if not typed:
            self._input_over = True
        elif self._is_terminal and self._escape is not None:
            for at in range(len(typed)):
                self._key(typed[at : at + 1])
        else:
            self._unsent += typed

    def _key(self, key: bytes) -> None:
        if not self._escaped:
            self._escaped = key == self._escape
            if not self._escaped:
                self._unsent += key
            return
        self._escaped = False
        if key in _QUIT:
            self._result = "quit"
        elif key in _SIZE:
            columns, rows = shutil.get_terminal_size()
            self._unsent += f"stty rows {rows} cols {columns}\r".encode()
        elif key == self._escape:
            self._unsent += key
        else:
            self._say(help_line(self._escape or b""))

    def _say(self, text: str) -> None:
        os.write(sys.stderr.fileno(), f"\r\n{text}\r\n".encode())

    @contextlib.contextmanager
    def _raw(self) -> Iterator[None]:
        if not self._is_terminal or self._read_only:
            yield
            return
        before = termios.tcgetattr(self._stdin)
        try:
            tty.setraw(self._stdin)
            yield
        finally:
            # Not TCSADRAIN: a terminal whose other end has gone would never be drained.
            termios.tcsetattr(self._stdin, termios.TCSANOW, before)
            if os.isatty(self._stdout):
                with contextlib.suppress(OSError):
                    os.write(self._stdout, _TIDY)


def help_line(escape: bytes) -> str:
    name = key_name(escape)
    return (
        f"[{name}, then: q leave · s type the window's size at the guest's shell (stty) · {name} send it · ? this help]"
    )


@contextlib.contextmanager
def _signals() -> Iterator[int]:
    """A descriptor from which the numbers of signals that shall end us are read."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    former_fd = signal.set_wakeup_fd(writer)
    former = {number: signal.signal(number, lambda *_: None) for number in _SIGNALS}
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(former_fd)
        for number, handler in former.items():
            signal.signal(number, handler)
        os.close(reader)
        os.close(writer)
