"""Servers with a console for tests: a service of their own, its interactive guest, and URLs of its console."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from demo.client import Client
from tests.kvm.test_serve import wait_for
from tests.serving import PATIENCE, nova_lite


@contextmanager
def interactive(client: Client, name: str = "talker") -> Iterator[str]:
    """The id of a running server with the interactive guest."""
    images = client.call("GET", "/v3/images", version="3.0", caller="member").received["images"]
    image = next(found["id"] for found in images if found["name"] == "interactive")
    body = {"server": {"name": name, "imageRef": image, "flavorRef": "40", "networks": "none"}}
    made = str(client.call("POST", "/v2.1/servers", body, version="2.96", caller="member").received["server"]["id"])
    assert wait_for(client, made, "ACTIVE")
    yield made
    client.call("DELETE", f"/v2.1/servers/{made}", version="2.96", caller="member")


def url_of(client: Client, server: str, kind: str = "serial") -> str:
    """A console's URL: ``serial`` of the WebSocket, ``serial-html5`` of the page."""
    body = {"remote_console": {"protocol": "serial", "type": kind}}
    answer = client.call("POST", f"/v3/servers/{server}/remote-consoles", body, version="3.0", caller="member")
    assert answer.status == 201, answer.received
    return str(answer.received["remote_console"]["url"])


def action(client: Client, server: str, body: dict[str, object], status: str) -> None:
    """An action of a server, and its end."""
    answer = client.call("POST", f"/v2.1/servers/{server}/action", body, version="2.96", caller="member")
    assert answer.status == 202, answer.received
    deadline = time.monotonic() + PATIENCE
    path = f"/v2.1/servers/{server}"
    while True:
        shown = client.call("GET", path, version="2.96", caller="member").received["server"]
        if shown["status"] == status and shown["OS-EXT-STS:task_state"] is None:
            return
        assert time.monotonic() < deadline, shown
        time.sleep(0.02)


def expire_tokens(state: Path) -> None:
    with sqlite3.connect(state / "nova-lite.db") as database:
        database.execute("UPDATE console_auth_tokens SET expires_at = '2001-01-01 00:00:00.000000'")


def page_url(state: Path, server: str) -> str:
    """As an operator gets it."""
    done = nova_lite(state, "console", "--url", server)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def read_until(line: ClientConnection, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        message = line.recv(PATIENCE)
        assert isinstance(message, bytes)
        seen += message
    return seen


def refused(url: str, **options: Any) -> int:
    """The status with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as caught:
        connect(url, **options).close()
    return int(caught.value.response.status_code)
