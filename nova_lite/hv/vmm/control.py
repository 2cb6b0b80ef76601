"""The control loop: the one thread that owns the machine.

Other threads hand it commands through one queue, each with a channel for its reply; an eventfd wakes the loop.
Everything else that can happen (events of the machine, connections, signals, deadlines) is watched by the same epoll.
"""

from __future__ import annotations

import logging
import os
import select
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from nova_lite.hv.vmm.errors import VmmError

LOG = logging.getLogger(__name__)

Handler = Callable[..., Any]
#: Seconds without anything to do that count as rest.
_REST_AFTER = 1.0


class _Command:
    """One thing to do, and where the answer goes: (result, None) or (None, error)."""

    __slots__ = ("arguments", "handler", "reply")

    def __init__(self, handler: Handler, arguments: tuple[Any, ...]) -> None:
        self.handler, self.arguments = handler, arguments
        self.reply: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()


def _shutting_down() -> VmmError:
    return VmmError(503, "The VMM is shutting down")


class ControlLoop:
    """Runs in the thread that calls ``run``; ``call`` is for all the other threads, the rest for its own.

    ``on_rest`` is called once whenever there has been nothing to do for a while after there was.
    """

    def __init__(self, on_rest: Callable[[], None] | None = None) -> None:
        self._on_rest = on_rest
        self._commands: SimpleQueue[_Command] = SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._deadline: tuple[float, Callable[[], None]] | None = None
        self._running, self._over = True, False
        self.watch(self._wake, self._run_commands)

    def call(self, handler: Handler, *arguments: Any) -> Any:
        """Run ``handler(*arguments)`` in the loop and wait for its result or error (from any other thread)."""
        if self._over:
            raise _shutting_down()
        command = _Command(handler, arguments)
        self._commands.put(command)
        os.eventfd_write(self._wake, 1)
        result, error = command.reply.get()
        if error is not None:
            raise error
        return result

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call ``callback`` whenever ``fd`` is readable or its other end has gone."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        """Stop watching ``fd``; before it is closed."""
        del self._callbacks[fd]
        self._epoll.unregister(fd)

    def at(self, moment: float, callback: Callable[[], None]) -> None:
        """Call ``callback`` once ``time.monotonic()`` reaches ``moment``; there is one such appointment at a time."""
        self._deadline = (moment, callback)

    def cancel(self) -> None:
        """Forget the appointment."""
        self._deadline = None

    def stop(self) -> None:
        """Let ``run`` return after the present step."""
        self._running = False

    def run(self) -> None:
        """Serve until ``stop``; commands that come after it are refused."""
        rested = self._on_rest is None
        while self._running:
            events = self._epoll.poll(self._timeout(rested))
            for fd, _events in events:
                callback = self._callbacks.get(fd)
                if callback is not None:
                    callback()
            if self._deadline is not None and time.monotonic() >= self._deadline[0]:
                callback, self._deadline = self._deadline[1], None
                callback()
            elif not events and not rested and self._on_rest is not None:
                self._on_rest()
                rested = True
                continue
            rested = self._on_rest is None
        self._over = True
        while True:
            try:
                command = self._commands.get_nowait()
            except Empty:
                return
            command.reply.put((None, _shutting_down()))

    def close(self) -> None:
        """Give back its descriptors; nothing works any more."""
        self._over = True
        self._epoll.close()
        os.close(self._wake)

    def _timeout(self, rested: bool) -> float | None:
        rest = None if rested else _REST_AFTER
        if self._deadline is None:
            return rest
        until = max(0.0, self._deadline[0] - time.monotonic())
        return until if rest is None else min(until, rest)

    def _run_commands(self) -> None:
        for _ in range(os.eventfd_read(self._wake)):
            command = self._commands.get()
            try:
                command.reply.put((command.handler(*command.arguments), None))
            except VmmError as error:
                command.reply.put((None, error))
            except Exception as error:
                LOG.exception("A command failed for a reason it did not foresee")
                command.reply.put((None, error))
            if not self._running:
                return
