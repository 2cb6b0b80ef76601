"""What a new client of the serial socket is shown of the past; no machine behind it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from nova_lite.hv import console_log
from nova_lite.hv.vmm import unix_socket
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.serial_socket import SerialSocket


@contextmanager
def line_with_past(folder: Path, past: bytes) -> Iterator[Path]:
    """A serial socket whose guest has written ``past``."""
    console_log.create(folder / "ring", 1 << 16, past)
    loop = ControlLoop()
    line = SerialSocket(folder / "sock", os.open(folder / "ring", os.O_RDWR), loop, len)
    thread = threading.Thread(target=loop.run)
    thread.start()
    yield folder / "sock"
    loop.call(line.close)
    loop.call(loop.stop)
    thread.join()


def shown(path: Path, size: int) -> bytes:
    connection = unix_socket.connect(path, 30.0)
    with connection:
        received = b""
        while len(received) < size:
            received += connection.recv(4096)
        connection.setblocking(False)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        return received


def test_the_past_ends_with_the_last_lines(tmp_path: Path) -> None:
    with line_with_past(tmp_path, b"".join(b"line %d\n" % n for n in range(1000))) as path:
        wanted = b"".join(b"line %d\n" % n for n in range(950, 1000))
        assert shown(path, len(wanted)) == wanted


def test_a_line_whose_beginning_is_not_shown_is_left_out(tmp_path: Path) -> None:
    with line_with_past(tmp_path, b"x" * 9000 + b"\nshort\n> ") as path:
        assert shown(path, 8) == b"short\n> "


@pytest.mark.parametrize(
    "question",
    [b"\x05", b"\x1bZ"]
    + [b"\x1b[6n", b"\x1b[c", b"\x1b[>0c", b"\x1b[18t", b"\x1b]11;?\x07", b"\x1b[?2004$p", b"\x1bP$qm\x1b\\"],
)
def test_questions_to_the_terminal_are_not_asked_again(tmp_path: Path, question: bytes) -> None:
    with line_with_past(tmp_path, b"\x1b[31mred" + question + b"\x1b[0m> ") as path:
        assert shown(path, 14) == b"\x1b[31mred\x1b[0m> "
