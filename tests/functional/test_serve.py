"""`nova-lite serve` as a person meets it: first start, refusals, dying parts, and an end that leaves nothing."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from demo.client import Client
from nova_lite.cli.status import get_json
from tests.serving import PATIENCE, Serving, nova_lite


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One service for the tests that leave it running."""
    with Serving(tmp_path_factory.mktemp("serving") / "s", "--driver", "fake") as running:
        yield running


def ended(pid: int) -> bool:
    """Whether the process ends; waits for it."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(PATIENCE * 1000))
    finally:
        os.close(pidfd)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_first_start_makes_what_a_client_needs_and_says_so(serving: Serving) -> None:
    state, output = serving.state, serving.output()
    assert f"First start: made {state}" in output
    assert (mode(state), mode(state / "tokens.yaml"), mode(state / "clouds.yaml")) == (0o700, 0o600, 0o600)
    cloud = yaml.safe_load((state / "clouds.yaml").read_text())["clouds"]["nova-lite"]
    assert cloud["auth"]["auth_url"] == f"{serving.url}/identity/v3"
    assert f"password {cloud['auth']['password']}\n" in output
    token = re.search(r"admin token  (nlt_\S+)", output)
    assert token and token[1] not in (state / "tokens.yaml").read_text()
    client = serving.client()
    assert Client(serving.url, {"admin": token[1]}).call("GET", "/v2.1/servers", caller="admin").status == 200
    assert client.call("GET", "/v2.1/servers", caller="admin").status == 200
    assert client.call("GET", "/v2.1/servers").status == 401
    client.close()


def test_a_second_start_keeps_tokens_and_says_nothing_of_a_first(state: Path) -> None:
    with Serving(state, "--driver", "fake"):
        tokens = (state / "tokens.yaml").read_text()
    with Serving(state, "--driver", "fake") as again:
        assert "First start" not in again.output()
        assert "admin token" not in again.output()
        assert f"this service listens on {again.url}" in again.output()  # another port than clouds.yaml says
    assert (state / "tokens.yaml").read_text() == tokens


def test_status_shows_the_running_parts(serving: Serving) -> None:
    done = nova_lite(serving.state, "status", "--json")
    facts = json.loads(done.stdout)
    assert done.returncode == 0
    assert facts["serve"] == serving.process.pid
    assert facts["agent"]["pid"] == serving.children()["agent"]
    assert facts["api"]["url"] == serving.url


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_every_process(state: Path, number: signal.Signals) -> None:
    with Serving(state, "--driver", "fake") as serving:
        children = serving.children()
        assert set(children) == {"agent", "API", "connection service"}
        assert serving.stop(number) == 0
    assert [name for name, pid in children.items() if Path(f"/proc/{pid}").exists()] == []
    assert f"Stopped by {number.name}; no VM runs." in serving.output()
    assert [path.name for path in (state / "run").glob("*.sock")] == []


def test_children_end_with_a_service_that_was_killed(state: Path) -> None:
    with Serving(state, "--driver", "fake") as serving:
        children = serving.children()
        serving.stop(signal.SIGKILL)
    assert all(ended(pid) for pid in children.values())
    with Serving(state, "--driver", "fake") as again:
        assert again.client().call("GET", "/v2.1/servers", caller="admin").status == 200


@pytest.mark.parametrize("name", ["agent", "API", "connection service"])
def test_a_part_that_dies_is_started_again(serving: Serving, name: str) -> None:
    pid = serving.children()[name]
    os.kill(pid, signal.SIGKILL)
    assert ended(pid)
    # The listening socket stays open: this request waits there until the API is back.
    assert get_json(f"{serving.url}/healthcheck", timeout=PATIENCE)["status"] == "ok"
    while serving.children().get(name, pid) == pid:
        select.select([], [], [], 0.05)
    assert f"the {name} was killed by SIGKILL; it starts again" in serving.output()


def test_two_services_on_one_state_folder_are_refused(serving: Serving) -> None:
    done = nova_lite(serving.state, "serve", "--driver", "fake", "--port", "0")
    assert done.returncode == 1
    assert f"Another `nova-lite serve` (process {serving.process.pid}) runs on {serving.state}" in done.stderr


def test_a_taken_port_is_named(state: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = nova_lite(state, "serve", "--driver", "fake", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken" in done.stderr
    assert "--port" in done.stderr


def test_a_state_path_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    done = nova_lite(tmp_path / ("x" * 120), "serve", "--driver", "fake")
    assert done.returncode == 1
    assert "bytes too long" in done.stderr


def test_an_agent_that_cannot_start_ends_the_service_with_its_reason(state: Path) -> None:
    (state / "run").mkdir(parents=True)
    (state / "run" / "agent.sock").mkdir()  # in the way of the agent's socket
    done = nova_lite(state, "serve", "--driver", "fake", "--port", "0")
    assert done.returncode == 1
    assert "The agent ended with code" in done.stderr
    assert "ready" not in done.stdout


def test_a_database_and_a_log_that_cannot_be_used_are_named(state: Path, tmp_path: Path) -> None:
    state.mkdir()
    database = state / "nova-lite.db"
    database.write_text("no database at all")
    done = nova_lite(state, "serve", "--driver", "fake", "--port", "0")
    assert done.returncode == 1
    assert done.stderr == f"Error: The database sqlite:///{database} cannot be used: file is not a database.\n"
    (tmp_path / "c.conf").write_text(f"[DEFAULT]\nlog_file = {tmp_path}/none/log\n")
    done = nova_lite(state, "--config-file", f"{tmp_path}/c.conf", "serve", "--driver", "fake", "--port", "0")
    assert done.returncode == 1
    assert done.stderr == f"Error: log_file {tmp_path}/none/log cannot be written: No such file or directory.\n"


def test_what_watches_the_others_is_small(serving: Serving) -> None:
    """It runs for as long as the service does, and has no use for what the command needed to prepare it."""
    libraries = (Path("/proc") / str(serving.process.pid) / "maps").read_text()
    assert "sqlite3" not in libraries and "libssl" not in libraries
    loaded = "import sys, nova_lite.cli.foreground; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert not {"click", "oslo_config", "sqlalchemy", "alembic", "http", "ssl", "yaml"} & set(done.stdout.split())
