"""The event stream of 3.x and waiting for operations, over real connections to a real `nova-lite serve`."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from demo.client import Client
from nova_lite.db import changes
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Database
from nova_lite.paths import Paths
from tests.serving import PATIENCE, Serving, nova_lite, state_folder


class Stream:
    """One client of the stream; ``next()`` is its next event, positions left out."""

    def __init__(
        self, serving: Serving, token: str, query: str = "", last: str | None = None, wait: bool = True
    ) -> None:
        parts = urlsplit(serving.url)
        self.connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE)
        headers = {"X-Auth-Token": token} | ({} if last is None else {"Last-Event-ID": last})
        self.connection.request("GET", f"/v3/events{query}", headers=headers)
        self.answer = self.connection.getresponse()
        self.id = last or ""
        if wait and self.answer.status == 200 and last is None:
            self._block()  # where it begins: from here on nothing is missed

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()
        self.connection.close()

    def _block(self) -> dict[str, str]:
        fields: dict[str, str] = {}
        while (line := self.answer.readline().decode()) not in ("\n", ""):
            name, _, value = line.rstrip("\n").partition(": ")
            fields[name] = value
        self.id = fields.get("id", self.id)
        return fields

    def next(self) -> dict[str, Any]:
        """The data of the next event; {} at the end of the stream."""
        while fields := self._block():
            if "data" in fields:
                return {"event": fields["event"], **json.loads(fields["data"])}
        return {}

    def until(self, **wanted: object) -> list[dict[str, Any]]:
        """The next events up to the first that has these values."""
        seen = []
        while event := self.next():
            seen.append(event)
            if wanted.items() <= event.items():
                return seen
        raise AssertionError(f"the stream ended before {wanted}: {seen}")


class Cloud:
    """A service with the fake driver, callers, and a server of project demo made in its database."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.client: Client = serving.client()
        self.tokens = self.client._tokens

    def stream(self, caller: str = "reader", query: str = "", **more: Any) -> Stream:
        return Stream(self.serving, self.tokens[caller], query, **more)

    def call(self, method: str, path: str, body: Any = None, caller: str = "member", version: str | None = None) -> Any:
        return self.client.call(method, path, body, version=version, caller=caller)

    def create(self, name: str) -> str:
        body = {"server": {"name": name, "imageRef": self.image(), "flavorRef": "1", "networks": "none"}}
        answer = self.call("POST", "/v2.1/servers", body, version="2.90")
        assert answer.status == 202, answer.received
        return str(answer.received["server"]["id"])

    def image(self) -> str:
        return str(self.call("GET", "/v2.1/images").received["images"][0]["id"])


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with state_folder() as state:
        kernel = state.parent / "kernel"
        kernel.write_bytes(b"\xf4" * 64)
        nova_lite(state, "image", "add", "flat", "--kernel", str(kernel))
        with Serving(state, "--driver", "fake") as serving:
            yield Cloud(serving)


def test_the_life_of_a_server_is_told_in_order_to_its_project_and_to_administrators_who_ask(cloud: Cloud) -> None:
    with cloud.stream() as own, cloud.stream("admin") as admins_own, cloud.stream("admin", "?all_projects=1") as all_of:
        assert own.answer.getheader("Content-Type") == "text/event-stream"
        assert own.answer.getheader("OpenStack-API-Version") == "compute 3.0"
        server = cloud.create("one")
        seen = own.until(event="server.changed", status="ACTIVE", task_state=None)
        assert seen[0]["event"] == "server.created" and seen[0]["name"] == "one" and seen[0]["status"] == "BUILD"
        operation = [event["state"] for event in seen if event["event"] == "operation"]
        assert operation[:2] == ["pending", "running"]
        assert {event["server_id"] for event in seen} == {server}
        cloud.call("DELETE", f"/v2.1/servers/{server}")
        own.until(event="server.deleted", status="DELETED")
        assert [event["event"] for event in all_of.until(event="server.deleted")].count("server.created") == 1
        # What is no event of the administrator's own project has not come on its own stream: this comes next.
        other = admin_server(cloud)
        assert admins_own.next()["server_id"] == other


def admin_server(cloud: Cloud) -> str:
    body = {"server": {"name": "admins", "imageRef": cloud.image(), "flavorRef": "1", "networks": "none"}}
    answer = cloud.call("POST", "/v2.1/servers", body, caller="admin", version="2.90")
    assert answer.status == 202, answer.received
    return str(answer.received["server"]["id"])


def test_a_client_that_comes_back_misses_nothing_and_sees_nothing_twice(cloud: Cloud) -> None:
    with cloud.stream() as first:
        server = cloud.create("two")
        first.until(event="server.created")
        last = first.id
    cloud.call("DELETE", f"/v2.1/servers/{server}")
    with cloud.stream(last=last) as again:
        seen = again.until(event="server.deleted")
        assert "server.created" not in [event["event"] for event in seen]
        everything = [event["event"] for event in seen]
    with cloud.stream(query=f"?last_event_id={last}") as by_query:
        assert [event["event"] for event in by_query.until(event="server.deleted")] == everything


def test_types_and_a_server_narrow_the_stream(cloud: Cloud) -> None:
    with cloud.stream(query="?type=server.deleted&type=server.created") as some:
        server, other = cloud.create("three"), cloud.create("four")
        with cloud.stream(query=f"?server_id={other}") as one:
            cloud.call("DELETE", f"/v2.1/servers/{server}")
            cloud.call("DELETE", f"/v2.1/servers/{other}")
            assert {event["server_id"] for event in one.until(event="server.deleted")} == {other}
        seen = [(some.next()["event"]) for _ in range(4)]
        assert seen == ["server.created", "server.created", "server.deleted", "server.deleted"]


@pytest.mark.parametrize(
    ("caller", "query", "last", "status"),
    [
        ("reader", "?all_projects=true", None, 403),
        ("reader", "?type=server.exploded", None, 400),
        ("reader", "?server_id=one", None, 400),
        ("reader", "?since=yesterday", None, 400),
        ("reader", "", "yesterday", 400),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    cloud: Cloud, caller: str, query: str, last: str | None, status: int
) -> None:
    with cloud.stream(caller, query, last=last) as refused:
        assert refused.answer.status == status
        assert json.loads(refused.answer.read())["errors"][0]["status"] == status


def test_more_streams_than_the_api_has_threads_leave_it_answering(cloud: Cloud) -> None:
    streams = [cloud.stream() for _ in range(24)]  # 2 workers with 4 threads each
    try:
        server = cloud.create("five")
        for stream in streams:
            assert stream.until(event="server.created")[-1]["server_id"] == server
    finally:
        for stream in streams:
            stream.__exit__()
    assert cloud.call("DELETE", f"/v2.1/servers/{server}").status == 204


def test_an_operation_is_waited_for_by_event(cloud: Cloud) -> None:
    server = cloud.create("six")
    with cloud.stream(query=f"?server_id={server}&last_event_id=0") as stream:
        stream.until(event="server.changed", status="ACTIVE", task_state=None)
    answer = cloud.call("POST", f"/v3/servers/{server}/action", {"stop": None})
    assert answer.status == 202, answer.received
    location = urlsplit(answer.headers["location"]).path
    waited = cloud.call("GET", f"{location}/wait?timeout=60", caller="reader")
    assert waited.status == 200 and waited.received["operation"]["state"] == "done"
    assert waited.received == cloud.call("GET", location, caller="reader").received
    assert waited.received["operation"]["links"][0]["href"].endswith(location)
    assert cloud.call("GET", f"{location}/wait?timeout=-1", caller="reader").status == 400
    assert cloud.call("GET", f"{location}/wait?timeout=3601", caller="reader").status == 400


def test_a_wait_ends_with_its_time_and_with_the_operation(cloud: Cloud) -> None:
    """An operation of a host that has no agent: nobody ends it but this test."""
    server = cloud.create("seven")
    with cloud.stream(query=f"?server_id={server}&last_event_id=0") as stream:
        stream.until(event="server.changed", status="ACTIVE", task_state=None)
    paths = Paths(cloud.serving.state)
    database = Database(f"sqlite:///{paths.database}", on_changes=changes.Doorbell(paths.doorbell))
    row = {"uuid": "6b5f3c6e-0000-4000-8000-000000000007", "instance_uuid": server, "action": "stop", "host": "gone"}
    with database.write() as connection:
        number = db_operations.insert(connection, {**row, "state": "pending", "request_id": "req-7", "args": {}})
    path = f"/v3/operations/{row['uuid']}/wait"
    assert cloud.call("GET", f"{path}?timeout=0").received["operation"]["state"] == "pending"
    assert cloud.call("GET", f"{path}?timeout=1").received["operation"]["state"] == "pending"

    answers: list[Any] = []
    waiter = threading.Thread(target=lambda: answers.append(Cloud(cloud.serving).call("GET", f"{path}?timeout=600")))
    waiter.start()
    with database.write() as connection:
        assert db_operations.claim(connection, number)
        assert db_operations.finish(connection, number, "failed", "the host is gone")
    waiter.join(PATIENCE)
    assert answers[0].received["operation"]["state"] == "failed"
    assert answers[0].received["operation"]["message"] == "the host is gone"
    database.close()


def test_without_its_process_the_stream_is_refused_and_comes_back_with_it(cloud: Cloud) -> None:
    os.kill(cloud.serving.children()["connection service"], signal.SIGSTOP)
    os.kill(cloud.serving.children()["connection service"], signal.SIGKILL)
    statuses = []
    while not statuses or statuses[-1] != 200:
        with cloud.stream(wait=False) as stream:
            statuses.append(stream.answer.status)
    assert set(statuses) <= {200, 503}


def test_what_was_dropped_is_said() -> None:
    with state_folder() as state:
        nova_lite(state, "db", "upgrade")
        made = Database(f"sqlite:///{Paths(state).database}")
        with made.write() as connection:
            connection.exec_driver_sql(
                "INSERT INTO changes (at, type, project_id, instance_uuid) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL"
                " SELECT i + 1 FROM n WHERE i < 1500) SELECT '2026-11-21 00:00:00', 'operation', 'demo', 'x' FROM n"
            )
            connection.exec_driver_sql("DELETE FROM changes WHERE id <= 1200")
        made.close()
        with Serving(state, "--driver", "fake") as serving:
            token = serving.log_in()
            with Stream(serving, token, "?all_projects=1", last="7") as stream:
                assert stream.next()["event"] == "lost"
                assert [stream.next()["event"] for _ in range(300)] == ["operation"] * 300
            with Stream(serving, token, "?all_projects=1", last="999999") as stream:  # of another database
                assert stream.next()["event"] == "lost"
