"""Removing what is over: deleted servers with their history, and the history of those that live on.

In batches, each a transaction of its own, so that a running service has the database in between, and whoever breaks
the work off loses nothing of it. Operations that have not ended are never touched, nor is a server that has one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from nova_lite.db.engine import Database
from nova_lite.db.operations import OUTSTANDING
from nova_lite.db.tables import instances, migrations, operation_events, operations

#: Names of the tables that rows are counted of, in the order in which they go. Console tokens expire; what is left of
#: a server's goes with it.
TABLES = tuple(table.name for table in (operation_events, operations, migrations, instances))

_UNFINISHED = sa.exists().where(operations.c.instance_uuid == instances.c.uuid, operations.c.state.in_(OUTSTANDING))
_HAS_HISTORY = sa.or_(
    sa.exists().where(operations.c.instance_uuid == instances.c.uuid),
    sa.exists().where(migrations.c.instance_uuid == instances.c.uuid),
)


@dataclass(frozen=True)
class Bounds:
    """What is over. ``before``: only what ended earlier; None: whenever it did. ``history``: also operations that have
    ended, of servers that are still there."""

    before: datetime | None = None
    history: bool = False

    def servers(self) -> sa.ColumnElement[bool]:
        earlier = [] if self.before is None else [instances.c.terminated_at < self.before]
        return sa.and_(instances.c.deleted.is_(True), *earlier, ~_UNFINISHED)

    def operations(self) -> sa.ColumnElement[bool]:
        of_deleted = operations.c.instance_uuid.in_(sa.select(instances.c.uuid).where(self.servers()))
        if not self.history:
            return of_deleted
        earlier = [] if self.before is None else [operations.c.updated_at < self.before]
        return sa.or_(of_deleted, sa.and_(operations.c.state.not_in(OUTSTANDING), *earlier))

    def migrations(self) -> sa.ColumnElement[bool]:
        return migrations.c.instance_uuid.in_(sa.select(instances.c.uuid).where(self.servers()))


def count(connection: Connection, bounds: Bounds) -> dict[str, int]:
    """How many rows are over now, by the tables' names."""
    ended = sa.select(operations.c.id).where(bounds.operations())
    wanted = {
        operation_events: operation_events.c.operation_id.in_(ended),
        operations: bounds.operations(),
        migrations: bounds.migrations(),
        instances: bounds.servers(),
    }
    counts = (sa.select(sa.func.count()).select_from(table).where(where) for table, where in wanted.items())
    return {name: int(connection.execute(query).scalar_one()) for name, query in zip(TABLES, counts, strict=True)}


def purge(database: Database, bounds: Bounds, batch: int, pause: float = 0.0) -> Iterator[dict[str, int]]:
    """Remove it, batch by batch; yields how many rows of each table one transaction removed.

    :param batch: how many operations, migrations or servers one transaction removes at most.
    :param pause: seconds between two transactions, in which others get at the database.
    """
    steps: tuple[tuple[sa.Table, sa.ColumnElement[bool]], ...] = (
        (operations, bounds.operations()),
        (migrations, bounds.migrations()),
        # One that was deleted since its turn above has its history still: it goes another time.
        (instances, sa.and_(bounds.servers(), ~_HAS_HISTORY)),
    )
    for table, where in steps:
        last = 0
        while True:
            with database.write() as connection:
                query = sa.select(table.c.id).where(table.c.id > last, where).order_by(table.c.id).limit(batch)
                ids = list(connection.execute(query).scalars())
                removed = _remove(connection, table, ids) if ids else {}
            if removed:
                yield removed
            if len(ids) < batch:
                break
            last = ids[-1]
            time.sleep(pause)


def _remove(connection: Connection, table: sa.Table, ids: list[int]) -> dict[str, int]:
    """{table's name: rows}."""
    removed = {}
    if table is operations:
        events = sa.delete(operation_events).where(operation_events.c.operation_id.in_(ids))
        removed[operation_events.name] = connection.execute(events).rowcount
    removed[table.name] = connection.execute(sa.delete(table).where(table.c.id.in_(ids))).rowcount
    return removed
