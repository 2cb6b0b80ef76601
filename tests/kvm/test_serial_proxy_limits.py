"""What ends or refuses a console of the serial proxy: its token's time, too many of them, a client that never reads."""

from __future__ import annotations

import base64
import os
import socket
import struct
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from demo.client import Client
from tests.kvm.console_servers import interactive, read_until, refused, url_of
from tests.kvm.vmm_process import PATIENCE, needs_kvm
from tests.serving import Serving, state_folder

pytestmark = [needs_kvm, pytest.mark.timeout(300)]


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Serving]:
    """A service with the options that the test names."""
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)
    with state_folder() as state, Serving(state) as serving:
        yield serving


def admitted(client: Client, server: str) -> ClientConnection:
    """A console, as soon as one is to be had."""
    deadline = time.monotonic() + 2 * PATIENCE
    while True:
        try:
            return connect(url_of(client, server))
        except InvalidStatus:
            assert time.monotonic() < deadline
            time.sleep(0.1)


TIMED = {"OS_CONSOLEAUTH__ENFORCE_SESSION_TIMEOUT": "true", "OS_CONSOLEAUTH__TOKEN_TTL": "4"}


@pytest.mark.parametrize("configured", [TIMED], indirect=True)
def test_a_console_ends_with_its_token_where_that_is_wanted(configured: Serving) -> None:
    client = configured.client()
    with interactive(client) as server, admitted(client, server) as line:
        with pytest.raises(ConnectionClosed) as caught:
            while line.recv(PATIENCE):
                pass
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1008, "the console's token has expired")


@pytest.mark.parametrize("configured", [{"OS_CONSOLE__MAX_CONNECTIONS": "2"}], indirect=True)
def test_more_consoles_than_allowed_are_refused_until_one_ends(configured: Serving) -> None:
    client = configured.client()
    with interactive(client) as server, connect(url_of(client, server)) as kept:
        with connect(url_of(client, server)):
            assert refused(url_of(client, server)) == 503
        with admitted(client, server) as third:
            third.send(b"my turn\r")
            read_until(kept, b"you said: my turn")


@pytest.mark.parametrize("configured", [{"OS_CONSOLE__MAX_CONNECTIONS": "2"}], indirect=True)
def test_handshakes_that_break_off_take_no_place(configured: Serving) -> None:
    client = configured.client()
    with interactive(client) as server:
        for _ in range(10):
            with handshake(url_of(client, server)) as line:
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closed by a reset
        with admitted(client, server) as one, admitted(client, server) as other:
            one.send(b"room for both\r")
            read_until(other, b"you said: room for both")


PINGED = {"OS_CONSOLE__MAX_CONNECTIONS": "2", "OS_CONSOLE__PING_INTERVAL": "1"}


@pytest.mark.parametrize("configured", [PINGED], indirect=True)
def test_a_client_that_never_reads_holds_up_nobody_and_is_let_go(configured: Serving) -> None:
    client = configured.client()
    with interactive(client) as server, silent_client(url_of(client, server)), connect(url_of(client, server)) as other:
        read_until(other, b"> ")
        for number in range(100):
            other.send(b"help\r")
            read_until(other, b"any other line is given back")
            other.send(b"round %d\r" % number)
            read_until(other, b"you said: round %d\r" % number)
        assert refused(url_of(client, server)) == 503
        with admitted(client, server) as third:  # it answered no ping, and its place is free again
            read_until(third, b"> ")


def handshake(url: str) -> socket.socket:
    """A WebSocket's handshake, sent; its answer is not waited for."""
    parts = urlsplit(url)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.settimeout(PATIENCE)
    line.connect((parts.hostname, parts.port))
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket"]
    lines += ["Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    line.sendall("\r\n".join(lines).encode())
    return line


def silent_client(url: str) -> socket.socket:
    """An open WebSocket of which not a byte is read."""
    line = handshake(url)
    assert line.recv(12) == b"HTTP/1.1 101"
    return line
