"""URLs of consoles and what their tokens tell, at every version that changes something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from nova_lite.db.tables import console_auth_tokens
from nova_lite.db.times import now
from tests.functional.cloud import ADMIN, READER, Cloud

SERIAL = {"remote_console": {"protocol": "serial", "type": "serial"}}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(tmp_path)
    yield made
    made.close()


@pytest.fixture
def server(cloud: Cloud) -> str:
    made = cloud.add_server("one")
    cloud.set_server(made, vm_state="active", task_state=None, power_state=1)
    return made


def token_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["token"][0]


def ask(cloud: Cloud, server: str, version: str = "2.6", body: object = SERIAL, **request: object):
    return cloud("POST", f"/servers/{server}/remote-consoles", version, json=body, **request)


def test_a_serial_console_has_a_url_with_a_token_that_is_not_kept(cloud: Cloud, server: str) -> None:
    answer = ask(cloud, server)
    assert answer.status_code == 200
    console = answer.json["remote_console"]
    assert console.keys() == {"protocol", "type", "url"}
    assert console["url"].startswith("ws://127.0.0.1:6083/?token=")
    with cloud.compute.database.read() as connection:
        rows = connection.execute(sa.select(console_auth_tokens)).all()
    assert len(rows) == 1 and token_of(console["url"]) not in str(rows)


def test_the_older_action_gives_the_same(cloud: Cloud, server: str) -> None:
    answer = cloud("POST", f"/servers/{server}/action", "2.5", json={"os-getSerialConsole": {"type": "serial"}})
    assert answer.status_code == 200 and answer.json["console"]["type"] == "serial"
    assert token_of(answer.json["console"]["url"])
    gone = cloud("POST", f"/servers/{server}/action", "2.6", json={"os-getSerialConsole": {"type": "serial"}})
    assert gone.status_code in (400, 404)
    assert cloud("POST", f"/servers/{server}/remote-consoles", "2.5", json=SERIAL).status_code == 404


@pytest.mark.parametrize(
    ("action", "kind"),
    [("os-getVNCConsole", "novnc"), ("os-getSPICEConsole", "spice-html5"), ("os-getRDPConsole", "rdp-html5")],
)
def test_graphical_consoles_are_unavailable_by_action(cloud: Cloud, server: str, action: str, kind: str) -> None:
    answer = cloud("POST", f"/servers/{server}/action", "2.1", json={action: {"type": kind}})
    assert answer.status_code == 400
    assert answer.json["badRequest"]["message"] == f"Unavailable console type {kind}."


@pytest.mark.parametrize(
    ("version", "protocol", "kind", "known"),
    [
        ("2.6", "vnc", "novnc", True),
        ("2.7", "mks", "webmks", False),
        ("2.8", "mks", "webmks", True),
        ("2.98", "spice", "spice-direct", False),
        ("2.99", "spice", "spice-direct", True),
    ],
)
def test_other_types_are_unavailable_from_the_version_that_knows_them(
    cloud: Cloud, server: str, version: str, protocol: str, kind: str, known: bool
) -> None:
    answer = ask(cloud, server, version, {"remote_console": {"protocol": protocol, "type": kind}})
    assert answer.status_code == 400
    assert ("Unavailable console type" in answer.json["badRequest"]["message"]) == known


def test_v3_says_when_the_url_expires(cloud: Cloud, server: str) -> None:
    answer = ask(cloud, server, "3.0")
    assert answer.status_code == 201
    assert answer.json["remote_console"].keys() == {"protocol", "type", "url", "expires_at"}
    shown = cloud(
        "GET", f"/console-auth-tokens/{token_of(answer.json['remote_console']['url'])}", "3.0", token=ADMIN
    )
    assert shown.json["console_auth_token"]["server_id"] == server


@pytest.mark.parametrize(
    ("base", "page"),
    [
        (None, "http://127.0.0.1:6083/console?token="),
        ("wss://cloud.example/serial/", "https://cloud.example/serial/console?token="),
        ("wss://cloud.example", "https://cloud.example/console?token="),
    ],
)
def test_v3_gives_the_address_of_a_page_beside_the_proxys(tmp_path: Path, base: str | None, page: str) -> None:
    cloud = Cloud(tmp_path, serial_console={"base_url": base})
    server = cloud.add_server("one")
    cloud.set_server(server, task_state=None)
    body = {"remote_console": {"protocol": "serial", "type": "serial-html5"}}
    answer = ask(cloud, server, "3.0", body)
    assert answer.status_code == 201 and answer.json["remote_console"]["url"].startswith(page)
    assert ask(cloud, server, "2.96", body).status_code == 400
    cloud.close()


def test_a_server_that_no_host_has_yet_has_no_console(cloud: Cloud) -> None:
    server = cloud.add_server("young")
    assert ask(cloud, server).status_code == 409


def test_readers_and_strangers_get_none(cloud: Cloud, server: str) -> None:
    assert ask(cloud, server, token="u2:p1:reader").status_code == 403
    assert ask(cloud, server, token="u9:p9").status_code == 404


def test_consoles_can_be_switched_off(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, serial_console={"enabled": False})
    server = cloud.add_server("one")
    cloud.set_server(server, task_state=None)
    assert ask(cloud, server).json["badRequest"]["message"] == "Unavailable console type serial."
    cloud.close()


def test_an_administrator_sees_what_a_token_opens(cloud: Cloud, server: str) -> None:
    token = token_of(ask(cloud, server).json["remote_console"]["url"])
    for version in ("2.31", "2.98", "2.99"):
        shown = cloud("GET", f"/os-console-auth-tokens/{token}", version, token=ADMIN)
        assert shown.status_code == 200
        assert shown.json == {
            "console": {"instance_uuid": server, "host": "127.0.0.1", "port": 6083, "internal_access_path": None}
        }
    assert cloud("GET", f"/os-console-auth-tokens/{token}", "2.30", token=ADMIN).status_code == 400
    assert cloud("GET", f"/os-console-auth-tokens/{token}x", "2.31", token=ADMIN).status_code == 404
    assert cloud("GET", f"/os-console-auth-tokens/{token}", "2.31", token=READER).status_code == 403
    assert cloud("GET", f"/os-console-auth-tokens/{token}?x=1", "2.98", token=ADMIN).status_code == 200
    assert cloud("GET", f"/os-console-auth-tokens/{token}?x=1", "2.99", token=ADMIN).status_code == 400


def test_tokens_end_with_their_time_and_with_their_server(cloud: Cloud, server: str) -> None:
    first, second = (token_of(ask(cloud, server).json["remote_console"]["url"]) for _ in range(2))

    def opens(token: str) -> bool:
        return cloud("GET", f"/os-console-auth-tokens/{token}", "2.31", token=ADMIN).status_code == 200

    assert opens(first) and opens(second)
    with cloud.compute.database.write() as connection:
        connection.execute(sa.update(console_auth_tokens).values(expires_at=now() - timedelta(seconds=1)))
    assert not opens(first) and not opens(second)
    third = token_of(ask(cloud, server).json["remote_console"]["url"])
    with cloud.compute.database.read() as connection:
        assert len(connection.execute(sa.select(console_auth_tokens)).all()) == 1  # the expired ones are removed
    cloud.set_server(server, deleted=True)
    assert not opens(third)
