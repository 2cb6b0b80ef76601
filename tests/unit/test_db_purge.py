"""`nova-lite db purge`: what is over goes, what lives or is still to be done stays, whoever writes meanwhile."""

from __future__ import annotations

import json
import threading
import uuid as uuidlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from nova_lite import objects
from nova_lite.cli.main import main
from nova_lite.cli.moment import Moment
from nova_lite.db import console_tokens, instances, operations, purge, tables
from nova_lite.db.engine import Database
from nova_lite.db.purge import Bounds
from nova_lite.db.times import now

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING = dict.fromkeys(purge.TABLES, 0)


def server(database: Database, name: str, deleted: datetime | None = None) -> objects.Instance:
    made = objects.Instance(
        uuid=str(uuidlib.uuid4()), display_name=name, project_id="p", user_id="u", hostname=name, host="h",
        flavor=objects.Flavor("40", "m1.pico", 1, 16), image_ref="image", created_at=LONG_AGO, updated_at=LONG_AGO,
        deleted=deleted is not None, terminated_at=deleted,
    )  # fmt: skip
    with database.write() as connection:
        instances.insert(connection, made)
    return made


def operation(database: Database, of: objects.Instance, state: str, at: datetime = LONG_AGO, steps: int = 1) -> int:
    """One with ``steps`` events that was last written ``at``."""
    row = {"uuid": str(uuidlib.uuid4()), "instance_uuid": of.uuid, "action": "reboot", "host": "h", "state": state}
    with database.write() as connection:
        number = operations.insert(connection, row | {"request_id": "req", "args": {}, "updated_at": at})
        for _ in range(steps):
            operations.record_event(connection, number, "compute_reboot_instance", "h", "Success")
    return number


def migration(database: Database, of: objects.Instance) -> None:
    values = {"migration_type": "resize", "status": "confirmed", "source_compute": "h"}
    row = {"uuid": str(uuidlib.uuid4()), "instance_uuid": of.uuid, "created_at": LONG_AGO, "updated_at": LONG_AGO}
    with database.write() as connection:
        connection.execute(sa.insert(tables.migrations), row | values)


def left(database: Database) -> tuple[list[str], list[int]]:
    """Names of the servers and numbers of the operations that are there."""
    with database.read() as connection:
        names = connection.execute(sa.select(tables.instances.c.display_name).order_by(tables.instances.c.id))
        numbers = connection.execute(sa.select(tables.operations.c.id).order_by(tables.operations.c.id))
        return list(names.scalars()), list(numbers.scalars())


class Command:
    """`nova-lite db purge` on one database."""

    def __init__(self, url: str, state: Path) -> None:
        self._environment = {"OS_DATABASE__CONNECTION": url}
        self._arguments = ["--state-path", str(state), "db", "purge", "--sleep", "0"]

    def __call__(self, *arguments: str) -> Result:
        runner = CliRunner(env=self._environment)
        return runner.invoke(main, [*self._arguments, *arguments], prog_name="nova-lite")

    def counts(self, *arguments: str) -> dict[str, int]:
        done = self(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return NOTHING | {row["table"]: row["rows"] for row in json.loads(done.stdout)}


@pytest.fixture
def command(tables_url: str, tmp_path: Path) -> Command:
    return Command(tables_url, tmp_path / "s")


def test_what_is_over_goes_and_what_lives_or_is_to_be_done_stays(database: Database, command: Command) -> None:
    living, gone = server(database, "living"), server(database, "gone", LONG_AGO)
    young, busy = server(database, "young", now()), server(database, "busy", LONG_AGO)
    for each in (gone, young, busy):
        operation(database, each, "done", each.terminated_at or LONG_AGO, steps=2)
        migration(database, each)
    with database.write() as connection:
        console_tokens.create(connection, gone.uuid, "serial", "h", 600)
    operation(database, busy, "pending", LONG_AGO)
    old = operation(database, living, "failed")
    fresh, waits = operation(database, living, "done", now()), operation(database, living, "running")
    _, before = left(database)

    expected = {"operation_events": 2, "operations": 1, "migrations": 1, "instances": 1}
    assert command.counts("--before", "30d", "--dry-run") == expected
    assert left(database) == (["living", "gone", "young", "busy"], before)
    assert command.counts("--before", "30d") == expected
    assert left(database) == (["living", "young", "busy"], before[1:])
    assert command.counts("--before", "30d") == NOTHING

    # History of living servers only when it is asked for; that of the busy one is over as much.
    expected = {"operation_events": 3, "operations": 2, "migrations": 0, "instances": 0}
    assert command.counts("--before", "30d", "--operations", "--dry-run") == expected
    assert command.counts("--before", "30d", "--operations") == expected
    names, numbers = left(database)
    assert names == ["living", "young", "busy"]
    assert old not in numbers
    assert {fresh, waits} < set(numbers)

    assert command.counts("--all")["instances"] == 1
    assert left(database)[0] == ["living", "busy"]
    assert "Nothing to remove." in command("--all").stdout


def test_a_transaction_removes_as_many_as_was_said(database: Database, command: Command) -> None:
    for number in range(5):
        each = server(database, f"s{number}", LONG_AGO)
        operation(database, each, "done")
    done = command("--before", "2026-01-02", "--max-rows", "2", "--verbose")
    lines = done.stderr.splitlines()
    assert [line for line in lines if "operations" in line] == [
        "removed 2 operation_events, 2 operations", "removed 2 operation_events, 2 operations",
        "removed 1 operation_events, 1 operations",
    ]  # fmt: skip
    assert [line for line in lines if "instances" in line] == [f"removed {n} instances" for n in (2, 2, 1)]
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["TABLE", "ROWS"], ["operation_events", "5"], ["operations", "5"], ["migrations", "0"], ["instances", "5"],
    ]  # fmt: skip


def test_what_is_broken_off_is_gone_on_with(database: Database) -> None:
    for number in range(3):
        operation(database, server(database, f"s{number}", LONG_AGO), "done")
    work = purge.purge(database, Bounds(), batch=1)
    assert next(work) == {"operation_events": 1, "operations": 1}
    work.close()
    assert len(left(database)[1]) == 2
    assert sum(counts.get("instances", 0) for counts in purge.purge(database, Bounds(), batch=1)) == 3
    assert left(database) == ([], [])


def test_servers_are_made_used_and_deleted_meanwhile(database: Database) -> None:
    """As the service does it, in another connection; every server is purged in the end, and no work was lost."""
    failures: list[Exception] = []

    def serve() -> None:
        try:
            for number in range(20):
                each = server(database, f"s{number}")
                todo = operation(database, each, "pending")
                with database.write() as connection:
                    assert operations.claim(connection, todo)
                    event = operations.begin_event(connection, todo, "compute_terminate_instance", "h")
                with database.write() as connection:
                    operations.end_event(connection, event, "Success")
                    assert operations.finish(connection, todo, "done", None)
                    instances.mark_deleted(connection, each.uuid)
        except Exception as error:
            failures.append(error)

    service = threading.Thread(target=serve)
    service.start()
    removed = 0
    while service.is_alive() or any(left(database)):
        for counts in purge.purge(database, Bounds(history=True), batch=3):
            removed += counts.get("instances", 0)
        assert not failures
    service.join()
    assert removed == 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Say either --before WHEN or --all."),
        (["--all", "--before", "30d"], "Say either --before WHEN or --all."),
        (["--before", "soon"], "'soon' is neither a duration"),
        (["--before", "99999999999w"], "'99999999999w' is too far from now"),
        (["--all", "--max-rows", "0"], "'--max-rows'"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = Command(f"sqlite:///{tmp_path}/none.db", tmp_path / "s")(*arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())


def test_a_span_is_counted_back_from_now() -> None:
    assert abs(Moment(ago=True).convert("2h", None, None) - (now() - timedelta(hours=2))) < timedelta(minutes=10)
