"""The node API on its socket: JSON-RPC 2.0 to the letter, schemas both ways, and a client that trusts no answer."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from nova_lite.compute import node_api
from nova_lite.compute.node_client import NodeClient, NodeError, NodeUnavailable
from nova_lite.compute.node_server import NodeServer

UUID = "8d0c5bd4-1d65-4e8b-8b3f-5f5c4f1c0000"


class Host:
    """Handlers whose answers a test sets."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "Agent.ping": {"host": "h1", "version": "1.0", "pid": 1},
            "Agent.wake": {},
            "Server.consoleOutput": {"output": "x"},
            "Server.diagnostics": {"power_state": 1, "counters": {}, "uptime": None, "memory_rss": None},
            "Host.getCapabilities": {},
            "Host.refreshNetworks": {},
        }
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def handlers(self) -> dict[str, Any]:
        return {name: self._handler(name) for name in self.answers}

    def _handler(self, name: str) -> Any:
        def handle(**params: Any) -> Any:
            self.calls.append((name, params))
            answer = self.answers[name]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return handle


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def path(tmp_path: Path, host: Host) -> Iterator[Path]:
    server = NodeServer(tmp_path / "agent.sock", host.handlers())
    server.start()
    yield tmp_path / "agent.sock"
    server.close()


class Wire:
    """Lines to and from the socket, without our client."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(30)
        self._socket.connect(str(path))
        self._lines = self._socket.makefile("rb")

    def say(self, line: bytes) -> None:
        self._socket.sendall(line + b"\n")

    def hear(self) -> Any:
        return json.loads(self._lines.readline())

    def ask(self, document: Any) -> Any:
        self.say(document if isinstance(document, bytes) else json.dumps(document).encode())
        return self.hear()

    def ended(self) -> bool:
        return self._lines.readline() == b""


@pytest.fixture
def wire(path: Path) -> Wire:
    return Wire(path)


def request(method: str = "Agent.ping", **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method} | members


def test_a_call_and_its_answer(wire: Wire) -> None:
    answer = {"jsonrpc": "2.0", "id": "a", "result": {"host": "h1", "version": "1.0", "pid": 1}}
    assert wire.ask(request(id="a", params={})) == answer
    assert wire.ask(request(id="a")) == answer


@pytest.mark.parametrize(
    ("sent", "code", "number"),
    [
        (b"{nonsense", -32700, None),
        (b'"\xff"', -32700, None),
        (b"", -32700, None),
        (b"1", -32600, None),
        (b"[]", -32600, None),
        (json.dumps([request()] * 101).encode(), -32600, None),
        ({"id": 1, "method": "Agent.ping"}, -32600, 1),
        (request(jsonrpc="1.0"), -32600, 1),
        (request(method=5), -32600, 1),
        (request(id=[1]), -32600, None),
        (request(id=True), -32600, None),
        (request(extra=1), -32600, 1),
        (request("Agent.nonsense"), -32601, 1),
        (request("__init__"), -32601, 1),
        (request(params={"x": 1}), -32602, 1),
        (request(params=[]), -32602, 1),
        (request(params=None), -32602, 1),
        (request("Server.consoleOutput"), -32602, 1),
        (request("Server.consoleOutput", params={"uuid": "../../etc", "length": 1}), -32602, 1),
        (request("Server.consoleOutput", params={"uuid": UUID, "length": -1}), -32602, 1),
        (request("Server.consoleOutput", params={"uuid": UUID, "length": "1"}), -32602, 1),
    ],
    ids=lambda value: str(value)[:50],
)
def test_bad_requests_get_the_codes_of_json_rpc(wire: Wire, host: Host, sent: Any, code: int, number: Any) -> None:
    reply = wire.ask(sent)
    assert (reply["error"]["code"], reply["id"], reply["jsonrpc"]) == (code, number, "2.0")
    assert node_api.error_codes()[reply["error"]["data"]["name"]] == code
    assert host.calls == []
    assert "result" in wire.ask(request())  # the connection goes on


def test_notifications_are_run_and_not_answered(wire: Wire, host: Host) -> None:
    wire.say(json.dumps({"jsonrpc": "2.0", "method": "Agent.wake"}).encode())
    wire.say(json.dumps({"jsonrpc": "2.0", "method": "Agent.nonsense"}).encode())
    assert wire.ask(request(id=2))["id"] == 2
    assert [name for name, _ in host.calls] == ["Agent.wake", "Agent.ping"]


def test_batches(wire: Wire) -> None:
    batch = [request(id=1), {"jsonrpc": "2.0", "method": "Agent.wake"}, request("Agent.nonsense", id=2), 5]
    assert [(reply["id"], "result" in reply) for reply in wire.ask(batch)] == [(1, True), (2, False), (None, False)]


def test_a_line_without_end_is_not_read_for_ever(wire: Wire) -> None:
    wire.say(b" " * (node_api.MAX_REQUEST + 1))
    assert wire.hear()["error"]["code"] == -32600
    assert wire.ended()


def test_declared_errors_leave_by_name_and_others_as_internal(wire: Wire, host: Host) -> None:
    ask = request("Server.diagnostics", params={"uuid": UUID})
    host.answers["Server.diagnostics"] = NodeError("ServerNotFound", "no such VM")
    error = wire.ask(ask)["error"]
    assert error == {"code": 1, "message": "no such VM", "data": {"name": "ServerNotFound"}}
    for surprise in (ZeroDivisionError("secret"), NodeError("MethodNotFound", "secret"), {"power_state": 77}, None):
        host.answers["Server.diagnostics"] = surprise
        error = wire.ask(ask)["error"]
        assert error["code"] == -32603
        assert "secret" not in json.dumps(error)


def test_every_method_needs_a_handler_and_every_handler_a_schema(tmp_path: Path, host: Host) -> None:
    handlers = host.handlers()
    del handlers["Agent.wake"]
    handlers["Agent.sleep"] = handlers["Agent.ping"]
    with pytest.raises(ValueError, match=r"Agent\.sleep, Agent\.wake"):
        NodeServer(tmp_path / "s", handlers)


@pytest.mark.parametrize("file", ["agent.json", "server.json", "host.json"])
def test_the_schemas_are_schemas(file: str) -> None:
    for name, method in node_api._load(file).items():
        assert set(method) == {"since", "description", "params", "result", "errors"}, name
        for part in ("params", "result"):
            jsonschema.Draft202012Validator.check_schema(method[part])
            assert method[part]["additionalProperties"] is False


def test_the_socket_is_its_owners_only(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


# -- the client --------------------------------------------------------------------------------------------------


def test_a_client_keeps_its_connections_and_survives_a_new_agent(tmp_path: Path, host: Host) -> None:
    client = NodeClient(tmp_path / "agent.sock")
    with pytest.raises(NodeUnavailable, match="no agent answers"):
        client.call("Agent.ping", {})
    for _ in range(2):
        server = NodeServer(tmp_path / "agent.sock", host.handlers())
        server.start()
        threads = [threading.Thread(target=client.call, args=("Agent.wake", {})) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.call("Agent.ping", {})["host"] == "h1"
        server.close()
    assert len(host.calls) == 18
    client.close()


def test_a_client_sends_nothing_that_does_not_fit(path: Path, host: Host) -> None:
    with pytest.raises(NodeError, match="/length"):
        NodeClient(path).call("Server.consoleOutput", {"uuid": UUID, "length": -1})
    assert host.calls == []


def test_errors_keep_their_names(path: Path, host: Host) -> None:
    host.answers["Server.diagnostics"] = NodeError("HypervisorFailed", "no answer from the VM")
    with pytest.raises(NodeError, match="no answer from the VM") as error:
        NodeClient(path).call("Server.diagnostics", {"uuid": UUID})
    assert error.value.name == "HypervisorFailed"


@pytest.mark.parametrize(
    "reply",
    [
        b"nonsense\n",
        b"5\n",
        b'{"jsonrpc": "2.0", "id": 999, "result": {}}\n',
        b'{"jsonrpc": "2.0", "id": 1, "result": {"unknown": 1}}\n',
        b'{"jsonrpc": "2.0", "id": 1, "error": 5}\n',
        b'{"jsonrpc": "2.0", "id": 1}\n',
        b"half",
        b"",
    ],
)
def test_an_agent_that_answers_nonsense_is_unavailable(tmp_path: Path, reply: bytes) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(reply)

    thread = threading.Thread(target=answer)
    thread.start()
    with pytest.raises(NodeUnavailable):
        NodeClient(tmp_path / "s").call("Agent.wake", {})
    thread.join()
    listener.close()


def test_an_agent_that_hangs_costs_a_bounded_time(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    listener.listen()
    with pytest.raises(NodeUnavailable, match=r"no answer within 0\.2 s"):
        NodeClient(tmp_path / "s", timeout=0.2).call("Agent.wake", {})
    listener.close()


def test_a_forked_worker_does_not_share_connections(path: Path) -> None:
    client = NodeClient(path)
    client.call("Agent.wake", {})
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if client.call("Agent.ping", {})["host"] == "h1" else 1)
        except BaseException:
            os._exit(2)
    assert client.call("Agent.ping", {})["host"] == "h1"
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
