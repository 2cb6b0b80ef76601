"""The processes of ``nova-lite serve``: started, watched, started again with growing pauses, ended in order.

Event-driven: the loop sleeps until a signal arrives, a child ends (its pidfd becomes readable), a child reports or
a pause is over.
"""

from __future__ import annotations

import ctypes
import logging
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

LOG = logging.getLogger(__name__)

FIRST_PAUSE = 0.5  # seconds until a dead child is started again; doubled each time it dies soon after
LONGEST_PAUSE = 30.0
STEADY = 60.0  # a child that lived this long starts again after the first pause

HANDLED = (signal.SIGTERM, signal.SIGINT)  # what stops the service

_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None, use_errno=True).prctl


class StartFailed(Exception):
    """The service did not become ready; the message says which part failed and how."""


@dataclass
class Child:
    """One process that must run. ``grace``: seconds to end in after SIGTERM, before SIGKILL."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str]
    pass_fds: Sequence[int] = ()
    grace: float = 30.0
    process: subprocess.Popen[bytes] | None = None
    pidfd: int = -1
    started: float = 0.0
    pause: float = 0.0
    restart_at: float | None = None

    def start(self) -> None:
        parent = os.getpid()

        def end_with_parent() -> None:
            # The supervisor may be killed without a chance to stop us: then we stop by ourselves, VMs go on.
            _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(1)

        self.process = subprocess.Popen(
            list(self.argv),
            env=dict(self.environment),
            pass_fds=self.pass_fds,
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C is for the supervisor alone: it ends the others in order
            preexec_fn=end_with_parent,
        )
        self.pidfd = os.pidfd_open(self.process.pid)
        self.started = time.monotonic()
        self.restart_at = None

    def reap(self) -> str:
        """Collect the ended process and say how it ended."""
        assert self.process is not None
        code = self.process.wait()
        os.close(self.pidfd)
        self.process, self.pidfd = None, -1
        return f"ended with code {code}" if code >= 0 else f"was killed by {signal.Signals(-code).name}"


class Supervisor:
    """Runs children until a signal tells it to stop.

    :param children: started in this order, stopped in the reverse one.
    :param wait_ready: blocks until the service answers; called in a thread. What it raises ends the start.
    :param on_ready: called once, in the loop, when ``wait_ready`` has returned.
    """

    def __init__(self, children: Sequence[Child], wait_ready: Callable[[], None], on_ready: Callable[[], None]) -> None:
        self.children = list(children)
        self._wait_ready = wait_ready
        self._on_ready = on_ready
        self._ready = False
        self._not_ready: Exception | None = None
        self._stop_signal: signal.Signals | None = None

    def run(self) -> signal.Signals:
        """Start everything and watch it. Returns the signal that ended it. :raises StartFailed: see there.

        SIGTERM and SIGINT may be blocked until then, and wait: whoever hands over to this process does so.
        """
        signals, signal_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        ready = os.eventfd(0, os.EFD_CLOEXEC)
        former_wakeup = signal.set_wakeup_fd(signal_writer)
        former = {number: signal.signal(number, lambda *_: None) for number in HANDLED}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)
        try:
            for child in self.children:
                child.start()
            threading.Thread(target=self._probe, args=(ready,), daemon=True).start()
            while self._stop_signal is None:
                self._turn(signals, ready)
            return self._stop_signal
        finally:
            self._stop_all(signals)
            signal.set_wakeup_fd(former_wakeup)
            for number, handler in former.items():
                signal.signal(number, handler)
            os.close(signals)
            os.close(signal_writer)

    def _probe(self, ready: int) -> None:
        try:
            self._wait_ready()
        except Exception as error:
            self._not_ready = error
        os.eventfd_write(ready, 1)

    def _turn(self, signals: int, ready: int) -> None:
        """One wait and what it brought."""
        pauses = [child.restart_at - time.monotonic() for child in self.children if child.restart_at is not None]
        with selectors.DefaultSelector() as selector:
            selector.register(signals, selectors.EVENT_READ)
            if not self._ready:
                selector.register(ready, selectors.EVENT_READ)
            for child in self.children:
                if child.process is not None:
                    selector.register(child.pidfd, selectors.EVENT_READ, child)
            events = [key for key, _ in selector.select(max(0.0, min(pauses)) if pauses else None)]
        for key in events:
            if key.fd == signals:
                self._stop_signal = signal.Signals(os.read(signals, 4096)[0])
                return
            if key.fd == ready:
                if self._not_ready is not None:
                    raise StartFailed(f"The service did not become ready: {self._not_ready}") from self._not_ready
                self._ready = True
                self._on_ready()
            else:
                self._ended(key.data)
        for child in self.children:
            if child.restart_at is not None and child.restart_at <= time.monotonic():
                child.start()

    def _ended(self, child: Child) -> None:
        lived = time.monotonic() - child.started
        how = child.reap()
        if not self._ready:
            raise StartFailed(f"The {child.name} {how} before it was ready; its messages are above.")
        child.pause = FIRST_PAUSE if lived > STEADY or not child.pause else min(child.pause * 2, LONGEST_PAUSE)
        child.restart_at = time.monotonic() + child.pause
        LOG.error("the %s %s; it starts again in %.1f s", child.name, how, child.pause)

    def _stop_all(self, signals: int) -> None:
        """End the children, last started first; a second signal ends them at once."""
        for child in reversed(self.children):
            if child.process is None:
                continue
            child.process.send_signal(signal.SIGTERM)
            if not _wait_end(child, signals):
                LOG.warning("the %s did not end when asked; killed", child.name)
                child.process.kill()
            child.reap()


def _wait_end(child: Child, signals: int) -> bool:
    """Whether the child ended within its grace; False also when another signal says that time is over."""
    with selectors.DefaultSelector() as selector:
        selector.register(child.pidfd, selectors.EVENT_READ)
        selector.register(signals, selectors.EVENT_READ)
        events = {key.fd for key, _ in selector.select(child.grace)}
    if signals in events:
        os.read(signals, 4096)
    return child.pidfd in events
