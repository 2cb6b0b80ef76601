"""The serial proxy with real guests and a plain WebSocket client: who may connect, and what goes through."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from demo.client import Client
from tests.kvm.console_servers import expire_tokens, interactive, read_until, refused, url_of
from tests.kvm.vmm_process import PATIENCE, needs_kvm
from tests.serving import Serving, state_folder

pytestmark = needs_kvm


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with state_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def client(state: Path) -> Iterator[Client]:
    with Serving(state) as serving:
        yield serving.client()


@pytest.fixture
def server(client: Client) -> Iterator[str]:
    with interactive(client) as made:
        yield made


def test_a_plain_client_talks_to_the_guest_as_often_as_it_likes(client: Client, server: str) -> None:
    url = url_of(client, server)
    for subprotocols in (["binary"], ["base64", "binary"], None):
        with connect(url, subprotocols=subprotocols) as line:
            assert line.subprotocol == ("binary" if subprotocols else None)
            read_until(line, b"> ")
            line.send(b"over the web\r")
            read_until(line, b"you said: over the web")
            line.send("as text\r")
            read_until(line, b"you said: as text")


def test_two_clients_of_one_server_see_the_same(client: Client, server: str) -> None:
    with connect(url_of(client, server)) as one, connect(url_of(client, server)) as other:
        read_until(one, b"> ")
        one.send(b"hear, hear\r")
        read_until(one, b"you said: hear, hear")
        read_until(other, b"you said: hear, hear")


def test_the_end_of_the_vm_ends_the_console_and_says_why(client: Client, server: str) -> None:
    with connect(url_of(client, server)) as line:
        read_until(line, b"> ")
        line.send(b"poweroff\r")
        with pytest.raises(ConnectionClosed) as caught:
            while line.recv(PATIENCE):
                pass
        assert caught.value.rcvd is not None and caught.value.rcvd.reason == "the server's VM has ended"


def test_unknown_and_missing_tokens_and_those_of_deleted_servers_are_refused(client: Client, server: str) -> None:
    url = url_of(client, server)
    base = url.partition("?")[0]
    assert refused(f"{base}?token=guess") == refused(base) == refused(f"{url}&token=two") == 403
    client.call("DELETE", f"/v2.1/servers/{server}", version="2.96", caller="member")
    while client.call("GET", f"/v2.1/servers/{server}", version="2.96", caller="member").status != 404:
        pass
    assert refused(url) == 403


def test_an_expired_token_is_refused(client: Client, server: str, state: Path) -> None:
    url = url_of(client, server)
    expire_tokens(state)
    assert refused(url) == 403


def test_pages_of_other_sites_are_refused(client: Client, server: str) -> None:
    url = url_of(client, server)
    for origin in ("http://evil.example", "https://127.0.0.1", "null", "http://[", ""):
        assert refused(url, origin=origin) == 403, origin
    with connect(url, origin="http://127.0.0.1:1234") as line:  # type: ignore[arg-type]
        read_until(line, b"> ")


def test_a_message_too_long_ends_its_sender_only(client: Client, server: str) -> None:
    url = url_of(client, server)
    with connect(url) as good, connect(url) as bad:
        bad.send(b"x" * (1 << 20))
        with pytest.raises(ConnectionClosed):
            while bad.recv(PATIENCE):
                pass
        good.send(b"still here\r")
        read_until(good, b"you said: still here")


def test_more_than_the_guest_takes_holds_up_nobody(client: Client, server: str) -> None:
    url = url_of(client, server)
    with connect(url) as flood, connect(url) as other:
        read_until(other, b"> ")
        flood.send(b"y" * 60_000)
        read_until(other, b"yyyy")


def test_plain_http_is_told_what_this_is(client: Client, server: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(url_of(client, server).replace("ws://", "http://"), timeout=PATIENCE)
    assert caught.value.code == 426 and b"WebSocket" in caught.value.read()
