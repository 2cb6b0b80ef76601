"""Running what the journal holds: each server's operations in order, different servers' side by side.

An operation's row goes pending → running → done or failed. One that is found running when the agent starts was cut off
by its end; it is run again from its first step, every step being such that this does no harm. ``Journal`` knows when
and where operations run; what they do is in ``work.py``.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable
from typing import Protocol

from nova_lite import exceptions, objects
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Database

LOG = logging.getLogger(__name__)

POLL_SECONDS = 5.0  # how long work waits at most when nobody woke us for it

Job = Callable[[], None]


def crash_if_asked(point: str) -> None:
    """Kill this process here, as a power cut would, when NOVA_LITE_CRASH_AT names this point.

    Points are ``<action>:<step>:before`` and ``:after``. So do the tests of durability choose their moment.
    """
    if os.environ.get("NOVA_LITE_CRASH_AT") == point:
        os.kill(os.getpid(), signal.SIGKILL)


class Worker(Protocol):
    """Who does the work of one operation, from claim to end."""

    def run(self, operation: objects.Operation) -> None: ...


class Journal:
    """The journal of one host. A server is in at most one thread's hands at any time."""

    def __init__(self, database: Database, host: str, worker: Worker, parallel: int) -> None:
        self._database, self._host, self._worker, self._parallel = database, host, worker, parallel
        self._wake = threading.Event()
        self._stopping = False
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)
        self._busy: dict[str, objects.Operation | None] = {}  # server → what is being done to it
        self._jobs: dict[str, deque[Job]] = {}
        self._queue: queue.SimpleQueue[tuple[str, Job] | None] = queue.SimpleQueue()
        self._dispatcher = threading.Thread(target=self._dispatch, name="journal", daemon=True)

    def start(self) -> None:
        """Begin to claim work."""
        for number in range(self._parallel):
            threading.Thread(target=self._work, name=f"work-{number}", daemon=True).start()
        self._dispatcher.start()

    def wake(self) -> None:
        """There may be new work."""
        self._wake.set()

    def submit(self, instance_uuid: str, job: Job) -> None:
        """Run ``job`` when no operation of that server runs, before the next one. It is kept in memory only."""
        with self._lock:
            self._jobs.setdefault(instance_uuid, deque()).append(job)
        self._wake.set()

    def stop(self, seconds: float) -> None:
        """Claim nothing more; give running work that long to end, then hand it back to be run again later."""
        self._stopping = True
        self._wake.set()
        with self._idle:
            if not self._idle.wait_for(lambda: not self._busy, timeout=seconds):
                for operation in self._busy.values():
                    if operation is not None:
                        self._release(operation)
        for _ in range(self._parallel):
            self._queue.put(None)

    def _release(self, operation: objects.Operation) -> None:
        LOG.warning("Operation %s (%s) is left for the next start", operation.id, operation.action)
        with self._database.write() as connection:
            db_operations.release(connection, operation.id)

    # -- the dispatcher's thread -------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                self._hand_out()
            except exceptions.Unavailable as error:
                LOG.error("The journal cannot be read: %s", error)
            except Exception:
                LOG.exception("Handing out work failed; it is tried again")
            self._wake.wait(POLL_SECONDS)

    def _hand_out(self) -> None:
        """Give free threads the next thing to do for servers that nobody works on."""
        with self._lock:
            free = self._parallel - len(self._busy)
            for uuid in [uuid for uuid in self._jobs if uuid not in self._busy][: max(free, 0)]:
                jobs = self._jobs[uuid]
                job = jobs.popleft()
                if not jobs:
                    del self._jobs[uuid]
                self._busy[uuid] = None
                self._queue.put((uuid, job))
            free = self._parallel - len(self._busy)
            taken = {*self._busy, *self._jobs}
        if free <= 0 or self._stopping:
            return
        with self._database.read() as connection:
            waiting = db_operations.next_of_each(connection, self._host, taken, free)
        with self._lock:
            for operation in waiting:
                uuid = operation.instance_uuid
                if uuid not in self._jobs:  # a job that came meanwhile goes first
                    self._busy[uuid] = operation
                    self._queue.put((uuid, lambda operation=operation: self._worker.run(operation)))  # type: ignore[misc]

    # -- the working threads -----------------------------------------------------------------------------------

    def _work(self) -> None:
        while (item := self._queue.get()) is not None:
            uuid, job = item
            failed = True
            try:
                job()
                failed = False
            except exceptions.Unavailable as error:
                LOG.error("Work on server %s stops: %s", uuid, error)
            except Exception:
                LOG.exception("Work on server %s failed in a way that nobody foresaw", uuid)
            with self._idle:
                del self._busy[uuid]
                self._idle.notify_all()
            if not failed:  # else the same would be handed out at once, again and again: the next poll is early enough
                self._wake.set()
