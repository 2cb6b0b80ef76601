"""The relay between the virtio console's pipe and the client of its socket: fast, slow, deaf and gone clients."""

from __future__ import annotations

import os
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite.hv.vmm import relay, unix_socket
from nova_lite.hv.vmm.control import ControlLoop

PATIENCE = 60.0


class Line:
    """A relay with a socket as its far end: ``write`` is the machine's side, ``typed`` what came to it."""

    def __init__(self, path: Path, loop: ControlLoop) -> None:
        self.path, self.typed, self.came = path, b"", threading.Event()
        self._relay = relay.Relay("line", relay.SocketEnd(path), loop, self._feed, loop.stop)

    def _feed(self, data: bytes) -> int:
        self.typed += data
        self.came.set()
        return len(data)

    def connect(self) -> socket.socket:
        """A client that the relay has let in: it has read what was typed."""
        client = unix_socket.connect(self.path, PATIENCE)
        self.came.clear()
        client.sendall(b"!")
        assert self.came.wait(PATIENCE)
        return client

    def write(self, data: bytes) -> None:
        """All of it, as a virtio console does: where the pipe is full, it waits."""
        while data:
            try:
                data = data[os.write(self._relay.fd_out, data) :]
            except BlockingIOError:
                poll = select.poll()
                poll.register(self._relay.fd_out, select.POLLOUT)
                assert poll.poll(PATIENCE * 1000), "the relay takes no more"

    def close(self) -> None:
        self._relay.close()


@pytest.fixture(name="line")
def _line(tmp_path: Path) -> Iterator[Line]:
    loop = ControlLoop()
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield Line(tmp_path / "socket", loop)
    finally:
        loop.call(loop.stop)
        thread.join(PATIENCE)


def read_to_end(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(1 << 16), b""))


def test_a_client_that_reads_slowly_gets_all_of_much_output(line: Line) -> None:
    client = line.connect()
    much = os.urandom(3 << 20)
    writer = threading.Thread(target=lambda: (line.write(much), line.close()))
    writer.start()
    found = b"".join(iter(lambda: client.recv(1000), b""))
    writer.join(PATIENCE)
    assert found == much


def test_a_client_that_never_reads_is_cut_off_and_the_machine_goes_on(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_PATIENCE", 0.2)
    deaf = line.connect()
    line.write(bytes(3 << 20))  # comes to its end: somebody must have given up
    assert len(read_to_end(deaf)) < 1 << 20
    next_one = line.connect()
    line.write(b"hello")
    line.close()
    assert read_to_end(next_one).endswith(b"hello")


def test_typing_goes_on_while_the_client_does_not_read(line: Line) -> None:
    client = line.connect()
    line.write(bytes(300_000))  # more than the socket holds: the rest is kept
    line.came.clear()
    client.sendall(b"stop")
    assert line.came.wait(PATIENCE) and line.typed.endswith(b"stop")
    line.close()
    assert read_to_end(client) == bytes(300_000)


def test_the_last_output_is_passed_on_after_the_machine_has_gone(line: Line) -> None:
    client = line.connect()
    last = os.urandom(400_000)
    line.write(last)
    line.close()
    assert read_to_end(client) == last


def test_a_client_that_leaves_in_the_middle_makes_room_for_the_next(line: Line) -> None:
    first = line.connect()
    line.write(bytes(300_000))
    first.close()
    second = line.connect()
    line.write(b"\1")
    line.close()
    assert read_to_end(second).endswith(b"\1")
