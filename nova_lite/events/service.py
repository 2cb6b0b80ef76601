"""The event stream of 3.x, and answers that wait for the end of an operation.

Part of the connection service (nova_lite/connections.py). It reads ``changes`` once for all its clients, woken by a
datagram of whoever wrote some, and looks by itself every few seconds, so that a lost datagram, or a writer on another
host, only costs time. Nothing here grows with a client that does not read: what it has not seen stays in the database,
and after a while it is let go.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite import exceptions, objects
from nova_lite.db import changes
from nova_lite.db import operations as db_operations
from nova_lite.db.changes import Change
from nova_lite.db.engine import Database
from nova_lite.events import documents, handover
from nova_lite.events.handover import Wish

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 5.0
_PAGE = 1000  # changes read at once
_KEPT_HERE = 4096  # newest changes in memory; who is further behind reads the database
_DRAINED_WITHIN = 30.0  # seconds that a client has to take what was sent
_STREAM = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class EventService:
    """One per state folder."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf, self._paths = conf.events, nova_lite_conf.paths(conf)
        self._database = Database(conf.database.connection or f"sqlite:///{self._paths.database}", durable=False)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="events")
        self._recent: collections.deque[Change] = collections.deque(maxlen=_KEPT_HERE)
        self._newest = self._dropped = 0
        self._rung = asyncio.Event()
        self._news = asyncio.Event()  # set when there are changes, and replaced by a new one
        self._waiting: dict[str, list[asyncio.Event]] = {}  # operation → who waits for it
        self._clients: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set."""
        loop = asyncio.get_running_loop()
        self._newest = (await self._in_thread(self._bounds))[1]
        with (
            _bound(self._paths.doorbell, socket.SOCK_DGRAM) as doorbell,
            _bound(self._paths.events_socket, socket.SOCK_SEQPACKET) as listener,
        ):
            listener.listen(128)
            loop.add_reader(doorbell, self._ring, doorbell)
            loop.add_reader(listener, self._accept, listener)
            follower = asyncio.create_task(self._follow())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({follower, stopped}, return_when=asyncio.FIRST_COMPLETED)
            loop.remove_reader(doorbell)
            loop.remove_reader(listener)
            tasks = [follower, stopped, *self._clients]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self._threads.shutdown()
        self._database.close()
        with contextlib.suppress(asyncio.CancelledError):
            await follower  # it ends by itself only by an exception

    # -- following the changes ---------------------------------------------------------------------------------

    def _ring(self, doorbell: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while doorbell.recv(16):
                continue
        self._rung.set()

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_POLL_SECONDS):
                    await self._rung.wait()
            self._rung.clear()
            try:
                while await self._read_on() == _PAGE:
                    continue
            except exceptions.Unavailable as error:
                LOG.error("Events wait: %s", error)

    async def _read_on(self) -> int:
        """Read the next changes and wake those whom they concern; how many there were."""
        found = await self._in_thread(self._after, self._newest)
        if not found:
            return 0
        self._recent.extend(found)
        self._newest = found[-1].id
        for change in found:
            for waiter in self._waiting.get(change.operation_uuid or "", ()):
                waiter.set()
        news, self._news = self._news, asyncio.Event()
        news.set()
        if self._newest - self._dropped > self._conf.kept + _PAGE:
            self._dropped = self._newest - self._conf.kept
            await self._in_thread(self._drop, self._dropped)
        return len(found)

    def _after(self, last: int) -> list[Change]:
        with self._database.read() as connection:
            return changes.after(connection, last, _PAGE)

    def _bounds(self) -> tuple[int, int]:
        with self._database.read() as connection:
            return changes.bounds(connection)

    def _drop(self, last: int) -> None:
        with self._database.write() as connection:
            changes.drop_until(connection, last)

    def _operation(self, uuid: str) -> objects.Operation | None:
        with self._database.read() as connection:
            return db_operations.get_by_uuid(connection, uuid)

    # -- clients -----------------------------------------------------------------------------------------------

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):  # the API's worker gave up before its turn came
            line, _ = listener.accept()
            line.setblocking(False)
            asyncio.get_running_loop().add_reader(line, self._take, line)

    def _take(self, line: socket.socket) -> None:
        """A connection comes from the API."""
        asyncio.get_running_loop().remove_reader(line)
        with line:
            try:
                wish, client = handover.receive(line)
            except (ValueError, OSError) as error:
                LOG.error("The API passed no connection: %s", error)
                return
            full = len(self._clients) >= self._conf.max_connections
            refusal = f"{self._conf.max_connections} requests wait for events already; try again." if full else None
            try:
                handover.answer(line, refusal)
            except OSError as error:
                LOG.warning("The API did not wait for its connection to be taken: %s", error)
                refusal = str(error)
        if refusal is not None:
            client.close()
            return
        serve = self._stream if wish.operation is None else self._wait
        task = asyncio.create_task(self._serve(client, wish, serve))
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    async def _serve(
        self, client: socket.socket, wish: Wish, serve: Callable[[asyncio.StreamWriter, Wish], Awaitable[None]]
    ) -> None:
        """One client, until it is answered or goes away."""
        client.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=client)
        gone = asyncio.create_task(_end_of(reader))
        answered = asyncio.ensure_future(serve(writer, wish))
        try:
            await asyncio.wait({gone, answered}, return_when=asyncio.FIRST_COMPLETED)
            if answered.done() and (error := answered.exception()) is not None:
                level = logging.INFO if isinstance(error, OSError) else logging.ERROR
                LOG.log(level, "A client of events is let go: %r", error)
        finally:
            for task in (gone, answered):
                task.cancel()
            await asyncio.gather(gone, answered, return_exceptions=True)
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(_DRAINED_WITHIN):
                    await writer.wait_closed()
            writer.transport.abort()

    async def _stream(self, writer: asyncio.StreamWriter, wish: Wish) -> None:
        writer.write(documents.head("200 OK", {**wish.headers, **_STREAM}))
        oldest, newest = await self._in_thread(self._bounds)
        last = newest if wish.last is None else wish.last
        if not oldest - 1 <= last <= newest:  # dropped since, or of a database that was here before this one
            last = min(max(last, oldest - 1), newest)
            await _send(writer, documents.lost(last))
        else:
            await _send(writer, documents.position(last))
        end = asyncio.get_running_loop().time() + self._conf.session_time
        while (left := end - asyncio.get_running_loop().time()) > 0:
            news = self._news
            found = await self._next(last)
            if found:
                last = found[-1].id
                told = [c for c in found if _concerns(wish, c)]
                if told:
                    await _send(writer, b"".join(documents.event(c.id, c.type, documents.change(c)) for c in told))
                continue
            try:
                async with asyncio.timeout(min(left, self._conf.heartbeat)):
                    await news.wait()
            except TimeoutError:
                await _send(writer, documents.position(last))

    async def _next(self, last: int) -> list[Change]:
        """Changes after ``last``: from memory, or from the database for who is far behind."""
        if last >= self._newest:
            return []
        if self._recent and self._recent[0].id <= last + 1:
            return [change for change in self._recent if change.id > last]
        found: list[Change] = await self._in_thread(self._after, last)
        return [change for change in found if change.id <= self._newest]

    async def _wait(self, writer: asyncio.StreamWriter, wish: Wish) -> None:
        assert wish.operation is not None
        changed = asyncio.Event()
        self._waiting.setdefault(wish.operation, []).append(changed)
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wish.timeout):
                    # Asked once before the first wait: it may have ended before anybody listened for it.
                    while not _has_ended(await self._in_thread(self._operation, wish.operation)):
                        await changed.wait()
                        changed.clear()
        finally:
            waiters = self._waiting[wish.operation]
            waiters.remove(changed)
            if not waiters:
                del self._waiting[wish.operation]
        row = await self._in_thread(self._operation, wish.operation)
        body = orjson.dumps({"operation": documents.operation(row, wish.href)})
        headers = {**wish.headers, "Content-Type": "application/json"}
        await _send(writer, documents.head("200 OK", headers, len(body)) + body)

    async def _in_thread(self, function, *arguments):  # type: ignore[no-untyped-def]
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _has_ended(operation: objects.Operation | None) -> bool:
    return operation is None or operation.state not in db_operations.OUTSTANDING


def _concerns(wish: Wish, change: Change) -> bool:
    return (
        (wish.project_id is None or change.project_id == wish.project_id)
        and (wish.server_id is None or change.instance_uuid == wish.server_id)
        and (not wish.types or change.type in wish.types)
    )


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    async with asyncio.timeout(_DRAINED_WITHIN):  # TimeoutError is an OSError: one that lets a slow client go
        await writer.drain()


async def _end_of(reader: asyncio.StreamReader) -> None:
    """Return when the client has closed its side; what it sends before that is not looked at."""
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            continue


@contextlib.contextmanager
def _bound(path: Path, kind: socket.SocketKind):  # type: ignore[no-untyped-def]
    """A UNIX socket on ``path``, in place of what a killed process left there."""
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK) as made:
        made.bind(str(path))
        path.chmod(0o600)
        try:
            yield made
        finally:
            path.unlink(missing_ok=True)
