"""Room that SQLite's files keep for themselves, so that a host whose disk is full can still be told of and cleared up.

Guests fill the file system that the database is on. A fault could not be written then, nor a server be deleted to make
room. What is taken here while there is some is used in place: the write-ahead log is as long as it will be needed and
is overwritten from its begin, and new rows find free pages in the database, which thus need not grow when the log is
copied into it.
"""

from __future__ import annotations

import os

from nova_lite.db.engine import Database

#: Of the log, in bytes: twice what SQLite lets it grow to before it copies it.
LOG_BYTES = 8 << 20
#: Of free pages in the database; taken anew when half of it is used.
PAGE_BYTES = 2 << 20


def keep_log(database: Database) -> None:
    """Make the write-ahead log of a database that is open ``LOG_BYTES`` long. :raises OSError: no room for it."""
    if not database.is_sqlite:
        return
    with database.read() as connection:
        connection.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1")  # the log is there once it was read
    try:
        descriptor = os.open(f"{database.url.database}-wal", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return  # in memory, or not a log
    try:
        # SQLite knows by checksums where the log ends and reads no further.
        os.posix_fallocate(descriptor, 0, LOG_BYTES)
    finally:
        os.close(descriptor)


def keep_pages(database: Database) -> None:
    """Have free pages in the database. :raises Unavailable: it does not answer, or there is no room."""
    if not database.is_sqlite:
        return
    with database.read() as connection:
        free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
        free *= connection.exec_driver_sql("PRAGMA page_size").scalar_one()
    if free < PAGE_BYTES // 2:
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE reserve (room BLOB)")
            connection.exec_driver_sql(f"INSERT INTO reserve VALUES (zeroblob({PAGE_BYTES}))")
            connection.exec_driver_sql("DROP TABLE reserve")
