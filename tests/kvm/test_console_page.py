"""The console's page in a headless Chromium: typed into, answered by a guest, lost, found again, refused."""

from __future__ import annotations

import gzip
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.client import Client
from tests.browser import Browser
from tests.kvm.console_servers import action, expire_tokens, interactive, page_url, url_of
from tests.kvm.vmm_process import PATIENCE, needs_kvm
from tests.serving import Serving, state_folder

pytestmark = [needs_kvm, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    with state_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def serving(state: Path) -> Iterator[Serving]:
    with Serving(state) as serving:
        yield serving


@pytest.fixture(scope="module")
def client(serving: Serving) -> Client:
    return serving.client()


@pytest.fixture
def server(client: Client) -> Iterator[str]:
    with interactive(client) as made:
        yield made


@pytest.fixture
def page() -> Iterator[Browser]:
    with Browser() as made:
        yield made


def test_who_types_in_the_page_is_answered_by_the_guest(state: Path, server: str, page: Browser) -> None:
    page.open(page_url(state, server))
    page.wait_for_text("Connected")
    page.wait_for_text("> ")
    page.type("hello guest\n")
    page.wait_for_text("you said: hello guest")
    assert page.evaluate("document.title") == "talker – console"
    assert page.complaints == []  # nothing failed, nothing was forbidden by its Content-Security-Policy


def test_the_terminal_is_as_large_as_the_window_and_tells_the_guest_when_asked(
    client: Client, server: str, page: Browser
) -> None:
    page.open(url_of(client, server, "serial-html5"))
    page.wait_for_text("> ")
    page.click("#size")
    page.wait_for_text("you said: stty rows")
    before = page.evaluate("document.querySelectorAll('.xterm-rows > div').length")
    page.resize(700, 300)
    page.wait_for(f"document.querySelectorAll('.xterm-rows > div').length < {before}", "a smaller terminal")
    rows = page.evaluate("document.querySelectorAll('.xterm-rows > div').length")
    page.click("#size")
    page.wait_for_text(f"you said: stty rows {rows} cols ")


def test_a_stopped_server_shows_its_past_and_takes_no_keys_until_it_runs_again(
    client: Client, state: Path, server: str, page: Browser
) -> None:
    url = page_url(state, server)
    page.open(url)
    page.wait_for_text("> ")
    page.type("remember this\n")
    page.wait_for_text("you said: remember this")
    action(client, server, {"os-stop": None}, "SHUTOFF")
    page.wait_for_text("The server's VM has ended")
    page.open(url)
    page.wait_for_text("The server does not run. This is what it wrote")
    page.wait_for_text("you said: remember this")
    action(client, server, {"os-start": None}, "ACTIVE")
    page.evaluate("document.querySelector('.xterm-helper-textarea').focus()")
    page.type("\n")
    page.wait_for_text("Connected")
    page.wait_for_text("> ")
    page.type("again\n")
    page.wait_for_text("you said: again")


def test_a_lost_connection_is_made_again(serving: Serving, client: Client, server: str, page: Browser) -> None:
    page.open(url_of(client, server, "serial-html5"))
    page.wait_for_text("Connected")
    proxy = serving.children()["connection service"]
    page.evaluate(
        "window.states = [];"
        "new MutationObserver(() => states.push(document.getElementById('status').textContent))"
        ".observe(document.getElementById('status'), {childList: true})"
    )
    os.kill(proxy, signal.SIGKILL)  # the service starts another one
    page.wait_for("states.some((text) => text.startsWith('The connection is lost. Trying again in '))")
    page.wait_for("states.at(-1) === 'Connected'", "the connection")
    page.wait_for_text("> ")
    page.type("still there\n")
    page.wait_for_text("you said: still there")


def test_an_expired_or_unknown_token_is_told_so(client: Client, state: Path, server: str, page: Browser) -> None:
    url = url_of(client, server, "serial-html5")
    expire_tokens(state)
    for address in (url, url.partition("=")[0] + "=guess", url.partition("?")[0]):
        page.open("about:blank")
        page.open(address)
        page.wait_for_text("The token is unknown or has expired; ask for a new console URL.")
        assert page.evaluate("document.getElementById('reconnect').hidden")


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def test_every_answer_is_guarded_and_what_is_not_there_is_404(client: Client, server: str) -> None:
    url = url_of(client, server, "serial-html5")
    base, _, query = url.partition("?")
    for path, expected in [
        ("", 200),
        ("/console.js", 200),
        ("/xterm.mjs", 200),
        (f"/server?{query}", 200),
        (f"/log?{query}", 200),
        ("/server?token=guess", 403),
        ("/log", 403),
        ("/README.md", 404),
        ("/..", 404),
    ]:
        status, headers, _ = get(base + path)
        assert status == expected, path
        assert "default-src 'none'" in headers["Content-Security-Policy"], path
        assert (headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == ("nosniff", "no-referrer"), path
    plain, packed = get(base)[2], get(base, **{"Accept-Encoding": "gzip"})
    assert packed[1]["Content-Encoding"] == "gzip" and gzip.decompress(packed[2]) == plain


def test_the_pages_files_are_found_below_any_path_of_a_proxy_in_front(client: Client, server: str) -> None:
    base = url_of(client, server, "serial-html5").partition("?")[0]
    root = base.removesuffix("/console")
    assert get(f"{root}/serial/console")[2] == get(base)[2]
    assert get(f"{root}/serial/console/console.css")[0] == 200
    assert get(f"{root}/elsewhere")[0] == 426
