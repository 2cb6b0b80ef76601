"""The database as one object: connections to read, transactions to write, the right pragmas, one schema version.

SQLite runs in WAL mode. A durable database (the API's) syncs at every commit, because a 202 says that the work is on
disk. The agent's need not: what a power cut takes from it is only ever a tail of commits, and the journal makes it do
that work again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite import exceptions
from nova_lite.db import changes, migrate

__all__ = ["Connection", "Database"]

_BUSY_SECONDS = 30
_WRITES = "nova_lite_writes"

_NO_ANSWER = (sa.exc.OperationalError, sa.exc.InterfaceError)

_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_inherited: list[Any] = []  # connections of the parent process: never used, never closed here


def _dumps(value: object) -> str:
    return orjson.dumps(value).decode()


class Database:
    """One per process, shared by its threads, safe across fork."""

    def __init__(
        self, url: str | sa.URL, durable: bool = True, on_changes: Callable[[], None] | None = None
    ) -> None:
        """:param durable: whether a commit waits until it is on disk (SQLite; PostgreSQL always does).
        :param on_changes: called after each commit that wrote rows of ``changes``.
        """
        self.url = sa.make_url(url)
        self.on_changes = on_changes
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        options: dict[str, Any] = {"json_serializer": _dumps, "json_deserializer": orjson.loads}
        if self.is_sqlite:
            # isolation_level None: the module begins nothing by itself; the listener below does.
            options["connect_args"] = {"timeout": _BUSY_SECONDS, "isolation_level": None, "cached_statements": 512}
        self.engine = sa.create_engine(self.url, pool_size=16, max_overflow=32, **options)
        if self.is_sqlite:
            self._prepare_sqlite(durable)
            self._reads = self.engine
        else:
            self._ask_before_use()
            self._reads = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._writes = self.engine.execution_options(**{_WRITES: True})
        self._writer = threading.Lock()
        self._local = threading.local()
        _databases.add(self)

    def _prepare_sqlite(self, durable: bool) -> None:
        synchronous = "FULL" if durable else "NORMAL"

        @sa.event.listens_for(self.engine, "connect")
        def set_pragmas(connection: Any, record: Any) -> None:
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute(f"PRAGMA synchronous={synchronous}")

        @sa.event.listens_for(self.engine, "begin")
        def begin(connection: Connection) -> None:
            if connection.get_execution_options().get(_WRITES):
                # The write lock at once: a read that turns into a write later could not be retried.
                connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _ask_before_use(self) -> None:
        """Replace connections that a restarted server has forgotten, at the moment they are taken from the pool.

        SQLAlchemy's own pre-ping knows the driver's errors only; pg8000 lets those of the socket through.
        """
        driver_error = self.engine.dialect.loaded_dbapi.Error

        @sa.event.listens_for(self.engine, "checkout")
        def ask(connection: Any, record: Any, proxy: Any) -> None:
            try:
                connection.cursor().execute("SELECT 1")
                connection.rollback()
            except (driver_error, OSError) as error:
                raise sa.exc.InvalidatePoolError() from error

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading; each statement sees the newest commit. Unavailable when the database is not there.

        On SQLite each thread keeps its own: taking one from the pool and giving it back costs as much as the statement.
        PostgreSQL's are taken from the pool, which looks first whether the server still knows them.
        """
        try:
            if self.is_sqlite:
                yield self._reader()
            else:
                with self._reads.connect() as connection:
                    yield connection
        except _NO_ANSWER as error:
            self._drop_reader()
            raise _unavailable(error) from error

    def _reader(self) -> Connection:
        connection = getattr(self._local, "reader", None)
        if connection is None or connection.closed or connection.invalidated:
            connection = self._local.reader = self._reads.connect()
        return connection

    def _drop_reader(self) -> None:
        connection = getattr(self._local, "reader", None)
        if connection is not None:
            self._local.reader = None
            connection.invalidate()
            connection.close()

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction: committed when the block ends, rolled back when it raises.

        SQLite has one writer at a time, so threads of this process queue here instead of polling for its lock.
        """
        with self._writer if self.is_sqlite else contextlib.nullcontext():
            try:
                with self._writes.begin() as connection:
                    changes.forget(connection)
                    yield connection
                    told = changes.write(connection)
            except _NO_ANSWER as error:
                raise _unavailable(error) from error
        if told and self.on_changes is not None:
            self.on_changes()

    def lock(self, connection: Connection, name: str) -> None:
        """Hold the lock of that name until the transaction ends. On SQLite the transaction itself is such a lock."""
        if not self.is_sqlite:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": name})

    def upgrade(self) -> None:
        """Bring the schema to this version's; several processes may call it at the same time."""
        with migrate.alone(self.url):
            if self.is_sqlite:
                with self.engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
            with self.write() as connection:
                self.lock(connection, "migrations")
                migrate.upgrade(connection)

    def close(self) -> None:
        self._drop_reader()
        self.engine.dispose()

    def _after_fork(self) -> None:
        _inherited.append((self.engine.pool, self._local))
        self.engine.dispose(close=False)
        self._writer = threading.Lock()
        self._local = threading.local()


def _unavailable(error: sa.exc.DBAPIError) -> exceptions.Unavailable:
    if getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return exceptions.Unavailable("The host has no space left for the database. Its administrator must free some.")
    return exceptions.Unavailable("The database does not answer.")


def _forget_inherited_connections() -> None:
    for database in list(_databases):
        database._after_fork()


os.register_at_fork(after_in_child=_forget_inherited_connections)
