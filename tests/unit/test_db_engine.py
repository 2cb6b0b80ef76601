"""The database: schema, transactions, threads, forks, durability."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from nova_lite import exceptions
from nova_lite.db import hosts, images, migrate, reserve, tables
from nova_lite.db.engine import Database
from tests.unit.postgresql import Cluster


def beat(database: Database, host: str) -> None:
    with database.write() as connection:
        hosts.heartbeat(connection, host, "nova-compute", "up")


def hosts_of(database: Database) -> set[str]:
    with database.read() as connection:
        return {service.host for service in hosts.list_services(connection, "nova", 60)}


def test_migrations_make_the_tables_that_the_code_uses(database: Database) -> None:
    with database.engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        differences = compare_metadata(MigrationContext.configure(connection, opts=options), tables.metadata)
    assert differences == []


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_images_of_the_first_schema_outlive_the_upgrade(database_url: str) -> None:
    database = Database(database_url)
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    values = dict.fromkeys(("id", "host", "name", "kernel", "kernel_format", "status", "visibility", "cmdline"), "1")
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        old = sa.Table("images", sa.MetaData(), autoload_with=connection)
        assert "initramfs" not in old.columns
        row = values | {"size": 1, "min_disk": 0, "min_ram": 0, "properties": {}}
        at = datetime(2026, 1, 1)  # as it lies in the table
        connection.execute(sa.insert(old), row | {"created_at": at, "updated_at": at})
    database.upgrade()
    with database.read() as connection:
        (image,) = images.of_host(connection, "1")
    assert (image.id, image.initramfs) == ("1", None)
    database.close()


def upgrade_once_told(url: str, go: multiprocessing.synchronize.Event) -> None:
    go.wait()
    Database(url).upgrade()


def test_processes_that_start_together_upgrade_once(database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    go = spawn.Event()
    processes = [spawn.Process(target=upgrade_once_told, args=(database_url, go)) for _ in range(3)]
    for process in processes:
        process.start()
    go.set()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    database = Database(database_url)
    with database.read() as connection:
        assert migrate.current(connection) == migrate.HEAD
    database.close()


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError), database.write() as connection:
        hosts.heartbeat(connection, "h1", "nova-compute", "up")
        raise RuntimeError
    assert hosts_of(database) == set()
    beat(database, "h1")
    assert hosts_of(database) == {"h1"}


def test_foreign_keys_are_enforced(database: Database) -> None:
    row = {"operation_id": 4711, "name": "x", "start_time": hosts.now()}
    with pytest.raises(sa.exc.DBAPIError, match="(?i)foreign key"), database.write() as connection:
        connection.execute(sa.insert(tables.operation_events), row)


def test_threads_write_side_by_side(database: Database) -> None:
    threads = [threading.Thread(target=beat, args=(database, f"h{number}")) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hosts_of(database) == {f"h{number}" for number in range(20)}


def test_a_forked_worker_has_connections_of_its_own(database: Database) -> None:
    beat(database, "parent")
    children = []
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            try:
                beat(database, f"child{number}")
                os._exit(0 if "parent" in hosts_of(database) else 1)
            except BaseException:
                os._exit(2)
        children.append(pid)
    beat(database, "parent again")
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children] == [0, 0, 0]
    assert hosts_of(database) == {"parent", "parent again", "child0", "child1", "child2"}


def test_a_writer_of_another_process_is_waited_for(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/test.db"
    first, second = Database(url), Database(url)
    first.upgrade()
    entered, done = threading.Event(), threading.Event()

    def write_second() -> None:
        entered.set()
        beat(second, "second")
        done.set()

    with first.write() as connection:
        hosts.heartbeat(connection, "first", "nova-compute", "up")
        writer = threading.Thread(target=write_second)
        writer.start()
        entered.wait()
        assert not done.is_set()
        assert hosts_of(second) == set()  # readers neither wait nor see what is not committed
    writer.join()
    assert hosts_of(second) == {"first", "second"}


@pytest.mark.parametrize(("durable", "level"), [(True, 2), (False, 1)])
def test_sqlite_syncs_what_a_202_promises(tmp_path: Path, durable: bool, level: int) -> None:
    database = Database(f"sqlite:///{tmp_path}/test.db", durable=durable)
    database.upgrade()
    with database.write() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == level  # 2 FULL, 1 NORMAL


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/missing/test.db")
    with pytest.raises(exceptions.Unavailable), database.read() as connection:
        connection.execute(sa.text("SELECT 1"))


def test_connections_that_the_server_dropped_are_replaced(postgresql_cluster: Cluster) -> None:
    url = postgresql_cluster.emptied_database()
    database, other = Database(url), Database(url)
    beat(database, "h1")
    assert hosts_of(database) == {"h1"}
    drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'tests'"
    with other.read() as connection:
        connection.execute(sa.text(drop))
    assert hosts_of(database) == {"h1"}
    beat(database, "h2")
    assert hosts_of(database) == {"h1", "h2"}
    for each in (database, other):
        each.close()


def test_times_without_a_zone_are_refused(database: Database) -> None:
    naive = hosts.now().replace(tzinfo=None)
    query = sa.update(tables.services).values(last_seen_up=naive)
    with pytest.raises(sa.exc.StatementError, match="without a zone"), database.write() as connection:
        connection.execute(query)


def test_a_service_on_sqlite_does_not_load_what_is_for_postgresql() -> None:
    """Some 3 MiB in every process."""
    programs = "nova_lite.compute.agent, nova_lite.connections, nova_lite.metadata.service"
    loaded = f"import sys, {programs}; print(*(name for name in sys.modules if 'dialects.postgresql' in name))"
    done = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_sqlite_keeps_room_for_a_full_host_and_what_it_held(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'room.db'}")
    database.upgrade()
    beat(database, "h1")
    for _ in range(2):  # the second time there is nothing to do
        reserve.keep_log(database)
        reserve.keep_pages(database)
        with database.read() as connection:
            free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one() * 4096
            assert reserve.PAGE_BYTES <= free < 2 * reserve.PAGE_BYTES
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    log = (tmp_path / "room.db-wal").stat()
    assert log.st_size == reserve.LOG_BYTES <= log.st_blocks * 512
    assert hosts_of(Database(database.url)) == {"h1"}
