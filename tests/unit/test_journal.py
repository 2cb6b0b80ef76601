"""The journal: who runs what, when; claims, failures of the worker, memory-only jobs, waking up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from nova_lite import exceptions, objects
from nova_lite.compute import journal as journal_module
from nova_lite.compute.journal import Journal
from nova_lite.db import operations
from tests.unit.computing import HOST, PATIENCE, Computing


class Recorder:
    """A worker that ends each operation as done and remembers; ``before`` may hold it up or break it."""

    def __init__(self, computing: Computing) -> None:
        self._computing = computing
        self.ran: list[tuple[str, str]] = []
        self.before: Callable[[objects.Operation], None] = lambda operation: None
        self._changed = threading.Condition()

    def run(self, operation: objects.Operation) -> None:
        self.before(operation)
        with self._computing.database.write() as connection:
            operations.claim(connection, operation.id)
            operations.finish(connection, operation.id, "done", None)
        with self._changed:
            self.ran.append((operation.instance_uuid, operation.action))
            self._changed.notify_all()

    def wait_for(self, count: int) -> list[tuple[str, str]]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.ran) >= count, PATIENCE), self.ran
            return list(self.ran)


@pytest.fixture
def recorder(computing: Computing) -> Recorder:
    return Recorder(computing)


@pytest.fixture
def journal(computing: Computing, recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """Two threads; nobody but ``wake`` wakes them: looking by itself comes too late for these tests."""
    monkeypatch.setattr(journal_module, "POLL_SECONDS", 3600.0)
    made = Journal(computing.database, HOST, recorder, parallel=2)
    yield made
    made.stop(PATIENCE)


def accept(computing: Computing, made: objects.Instance, *verbs: str) -> None:
    """Put operations into the journal as requests would, whatever the server's state."""
    for verb in verbs:
        computing.set_row(made, vm_state="active", task_state=None, launched_at=made.created_at)
        getattr(computing.api, verb)(computing.me, made)


def test_a_servers_operations_run_in_order(computing: Computing, journal: Journal, recorder: Recorder) -> None:
    made, other = computing.create(), computing.create()
    accept(computing, made, "stop", "pause", "stop")
    journal.start()
    ran = recorder.wait_for(5)
    assert [action for uuid, action in ran if uuid == made.uuid] == ["create", "stop", "pause", "stop"]
    assert (other.uuid, "create") in ran
    assert {op.state for op in computing.operations(made)} == {"done"}


def test_as_many_servers_as_there_are_threads_are_in_work(
    computing: Computing, journal: Journal, recorder: Recorder
) -> None:
    inside, entered, go = [], threading.Semaphore(0), threading.Event()

    def hold(operation: objects.Operation) -> None:
        inside.append(operation.instance_uuid)
        entered.release()
        assert go.wait(PATIENCE)

    recorder.before = hold
    for _ in range(3):
        accept(computing, computing.create(), "stop")
    journal.start()
    assert entered.acquire(timeout=PATIENCE)
    assert entered.acquire(timeout=PATIENCE)
    assert len(set(inside)) == 2
    assert not entered.acquire(timeout=0.2)  # no third thread, and no second operation of the same server
    go.set()
    recorder.wait_for(6)


def test_a_wake_up_is_enough(computing: Computing, journal: Journal, recorder: Recorder) -> None:
    journal.start()
    for number in range(1, 4):
        computing.create()
        journal.wake()
        recorder.wait_for(number)


def test_work_of_other_hosts_is_left_alone(computing: Computing, journal: Journal, recorder: Recorder) -> None:
    foreign, own = computing.create(), computing.create()
    with computing.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE operations SET host = 'host2' WHERE instance_uuid = '{foreign.uuid}'")
    journal.start()
    assert recorder.wait_for(1) == [(own.uuid, "create")]
    assert computing.operations(foreign)[0].state == "pending"


def test_what_was_running_when_the_agent_ended_runs_again(
    computing: Computing, journal: Journal, recorder: Recorder
) -> None:
    made = computing.create()
    (operation,) = computing.operations(made)
    with computing.database.write() as connection:
        assert operations.claim(connection, operation.id)
    journal.start()
    recorder.wait_for(1)
    assert computing.operations(made)[0].attempts == 2


def test_jobs_of_a_server_run_between_its_operations(
    computing: Computing, journal: Journal, recorder: Recorder
) -> None:
    made = computing.create()
    busy, go = threading.Event(), threading.Event()
    order: list[str] = []

    def hold(operation: objects.Operation) -> None:
        order.append(operation.action)
        busy.set()
        assert go.wait(PATIENCE)

    recorder.before = hold
    accept(computing, made, "stop")
    journal.start()
    assert busy.wait(PATIENCE)
    journal.submit(made.uuid, lambda: order.append("job 1"))
    journal.submit(made.uuid, lambda: order.append("job 2"))
    go.set()
    recorder.wait_for(2)
    assert order == ["create", "job 1", "job 2", "stop"]


@pytest.mark.parametrize("error", [ZeroDivisionError("bug"), exceptions.Unavailable("gone")])
def test_a_worker_that_breaks_holds_up_nobody_else(
    computing: Computing, journal: Journal, recorder: Recorder, error: Exception
) -> None:
    broken, fine = computing.create(), computing.create()
    tries = []

    def break_one(operation: objects.Operation) -> None:
        if operation.instance_uuid == broken.uuid:
            tries.append(operation)
            raise error

    recorder.before = break_one
    journal.start()
    recorder.wait_for(1)
    assert recorder.ran == [(fine.uuid, "create")]
    assert computing.operations(broken)[0].state == "pending"  # it is tried again at the next poll
    recorder.before = lambda operation: None
    journal.wake()
    recorder.wait_for(2)
    assert tries


def test_stopping_waits_for_what_runs_and_claims_nothing_more(
    computing: Computing, journal: Journal, recorder: Recorder
) -> None:
    busy, go = threading.Event(), threading.Event()

    def hold(operation: objects.Operation) -> None:
        busy.set()
        assert go.wait(PATIENCE)

    recorder.before = hold
    made = computing.create()
    accept(computing, made, "stop")
    journal.start()
    assert busy.wait(PATIENCE)
    stopper = threading.Thread(target=journal.stop, args=(PATIENCE,))
    stopper.start()
    go.set()
    stopper.join()
    assert [(op.action, op.state) for op in computing.operations(made)] == [("create", "done"), ("stop", "pending")]


def test_a_long_history_does_not_slow_the_search_for_work(computing: Computing) -> None:
    query = (
        "EXPLAIN QUERY PLAN SELECT id FROM operations "
        "WHERE host = 'h' AND state IN ('pending', 'running') ORDER BY id LIMIT 4"
    )
    if computing.database.is_sqlite:
        with computing.database.read() as connection:
            plan = " ".join(row[3] for row in connection.exec_driver_sql(query))
        assert "ix_operations_outstanding" in plan
        assert "TEMP B-TREE" not in plan
