"""kill -9 of an API worker in the middle of a request: either nothing was accepted, or the work gets done."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lite import objects
from tests.functional.test_crash_agent import ROOT
from tests.unit.computing import IMAGE, Computing, eventually


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Computing]:
    made = Computing(tmp_path / "state", None)
    yield made
    made.close()


class DyingAPI:
    """gunicorn whose worker ends itself at ``moment`` of each request that changes something, and is replaced."""

    def __init__(self, hosting: Computing, moment: str) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        descriptor = self._listener.fileno()
        state = str(hosting.paths.state)
        with open(hosting.paths.state / "api.log", "wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.functional.crash_processes", "api", state, str(descriptor), moment],
                cwd=ROOT,
                pass_fds=[descriptor],
                stdout=output,
                stderr=output,
            )

    def request(self, method: str, path: str, body: object = None) -> http.client.HTTPResponse:
        """The answer; an exception of http.client or OSError when the worker died over it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"X-Auth-Token": "u1:p1", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        return connection.getresponse()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._listener.close()


@pytest.fixture(params=["commit", "poke"])
def dying_api(request: pytest.FixtureRequest, hosting: Computing) -> Iterator[DyingAPI]:
    made = DyingAPI(hosting, request.param)
    yield made
    made.close()


def ask_and_lose_the_worker(api: DyingAPI, path: str, body: object) -> None:
    assert api.request("GET", "/v2.1/servers").status == 200  # it is up
    with pytest.raises((http.client.HTTPException, OSError)):
        api.request("POST", path, body)
    assert api.request("GET", "/v2.1/servers").status == 200  # and up again


def accepted(hosting: Computing) -> list[objects.Instance]:
    return hosting.api.list(hosting.me)


CREATE = {"server": {"name": "n", "flavorRef": "40", "imageRef": IMAGE}}


@pytest.mark.parametrize("dying_api", ["commit"], indirect=True)
def test_a_create_that_was_not_committed_never_was(hosting: Computing, dying_api: DyingAPI) -> None:
    ask_and_lose_the_worker(dying_api, "/v2.1/servers", CREATE)
    assert accepted(hosting) == []
    hosting.start_agent()
    hosting.running()  # the agent works, and on nothing else
    assert len(hosting.driver.list()) == 1


@pytest.mark.parametrize("dying_api", ["poke"], indirect=True)
def test_a_create_that_was_committed_gets_done_though_nobody_woke_the_agent(
    hosting: Computing, dying_api: DyingAPI
) -> None:
    hosting.start_agent()
    ask_and_lose_the_worker(dying_api, "/v2.1/servers", CREATE)
    (made,) = accepted(hosting)
    hosting.settled(made, "active")
    assert [op.state for op in hosting.operations(made)] == ["done"]


@pytest.mark.parametrize(("dying_api", "ends_as"), [("commit", "active"), ("poke", "stopped")], indirect=["dying_api"])
def test_a_stop_is_done_wholly_or_not_at_all(hosting: Computing, dying_api: DyingAPI, ends_as: str) -> None:
    hosting.start_agent()
    made = hosting.running()
    ask_and_lose_the_worker(dying_api, f"/v2.1/servers/{made.uuid}/action", {"os-stop": None})
    hosting.settled(made, ends_as)
    expected = ["create"] if ends_as == "active" else ["create", "stop"]
    assert [op.action for op in hosting.operations(made)] == expected
    hosting.api.delete(hosting.me, made)
    hosting.becomes(made, "deleted")
    eventually(lambda: hosting.driver.list() == [], "nothing is left")
