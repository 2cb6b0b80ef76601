"""What a guest does by itself, and what becomes of its machine then: it ends, restarts, panics, crashes."""

from __future__ import annotations

import abc
import logging
import time
from typing import Any

from nova_lite.hv.native.event import Event
from nova_lite.hv.native.machine import Machine, MachineError
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import VmmError
from nova_lite.hv.vmm.restarts import TRIPLE_FAULTS, TRIPLE_FAULTS_WITHIN, Restarts

LOG = logging.getLogger(__name__)

CREATED, RUNNING, PAUSED, SHUTDOWN, CRASHED = "Created", "Running", "Paused", "Shutdown", "Crashed"

#: Seconds that a guest which has panicked gets to write its last words to the console.
_LAST_WORDS = 2.0


class GuestEvents(abc.ABC):
    """The part of ``Vm`` that answers to its guest; the rest answers to its owner."""

    state: str
    _loop: ControlLoop
    _config: VmConfig | None
    _detail: str
    _crash: dict[str, Any] | None
    _reset_due: bool
    _hotplug: Any
    _panic: Event | None
    _suspect: Any
    _operating_system: bool
    _restarts: Restarts

    @abc.abstractmethod
    def _created(self) -> VmConfig: ...

    @abc.abstractmethod
    def _running_machine(self) -> Machine: ...

    @abc.abstractmethod
    def _restart(self, initiator: str) -> None: ...

    @abc.abstractmethod
    def _release(self) -> None: ...

    @abc.abstractmethod
    def _close_consoles(self) -> None: ...

    @abc.abstractmethod
    def _forget_reset(self) -> None: ...

    @abc.abstractmethod
    def _become(self, state: str, event: str, initiator: str = "api", detail: str = "") -> None: ...

    @abc.abstractmethod
    def _emit(self, event: str, initiator: str, detail: str | None = None) -> None: ...

    def _on_machine_event(self) -> None:
        # One event ends a boot; what might follow it (Linux resets by two ways, one after the other) is of that boot.
        for event in self._running_machine().poll_events():
            if event.kind == "guest_panic" and self._running_machine().state in ("running", "paused"):
                self._on_panic(event)
                continue
            if event.kind == "console_panic":
                self._on_console_panic(event)
                continue
            if event.kind == "eject":
                self._take_ejected()
                continue
            if self._panic is not None:  # whatever it did after that: restart, switch itself off
                self._on_crash(self._panic)
            elif event.kind in ("reset", "watchdog") or self._is_restart(event):
                if event.kind == "watchdog":
                    LOG.warning("The machine is reset: %s", event)
                    self._detail = str(event)
                    self._emit("watchdog", "guest")
                self._on_guest_reset()
            elif event.crashed:
                self._on_crash(event)
            else:
                self._release()
                self._become(SHUTDOWN, "shutdown", "guest", str(event))
            break

    def _take_ejected(self) -> None:
        if self._hotplug is not None:
            self._config = self._hotplug.take_ejected(self._created(), self._running_machine())

    def _on_panic(self, event: Event) -> None:
        if self._panic is None:
            self._panic = event
            self._loop.at(time.monotonic() + _LAST_WORDS, lambda: self._on_crash(event))

    def _on_console_panic(self, event: Event) -> None:
        from nova_lite.hv.vmm import panic

        if self._panic is None and self._suspect is None:
            self._suspect = panic.Suspect(self._running_machine(), event)
            self._loop.at(time.monotonic() + _LAST_WORDS, self._examine)

    def _examine(self) -> None:
        """Does a guest stand still whose console tells of a panic? Then it has crashed; else nothing has happened."""
        from nova_lite.hv.vmm import panic

        machine, suspect, verdict = self._running_machine(), self._suspect, None
        if self.state == RUNNING:  # a paused one is looked at when it goes on
            try:
                machine.pause()
                self._on_machine_event()
                if self._suspect is not suspect or machine.state != "paused":  # it has ended meanwhile, by itself
                    return
                verdict = suspect.look()
                machine.resume()
                self._take_ejected()
            except MachineError as error:
                LOG.warning("It cannot be told whether the guest has panicked: %s", error)
                return
        if verdict is None:
            self._loop.at(time.monotonic() + panic.INTERVAL, self._examine)
        elif verdict:
            self._on_crash(suspect.event)
        else:
            self._suspect = None
            machine.watch_console()

    def _is_restart(self, event: Event) -> bool:
        return event.kind == "triple_fault" and self._restarts.may_follow_triple_fault() and self._operating_system

    def _on_guest_reset(self) -> None:
        delay = self._restarts.delay()
        if delay:
            self._reset_due = True
            self._loop.at(time.monotonic() + delay, self._restart_for_guest)
        else:
            self._restart_for_guest()

    def _restart_for_guest(self) -> None:
        try:
            self._restart("guest")
        except VmmError as error:
            LOG.error("The guest asked for a reset, but: %s", error)
            self._become(CRASHED, "crashed", "guest", f"the machine could not be started again: {error}")

    def _on_crash(self, event: Event) -> None:
        LOG.warning("The machine crashed: %s", event)
        # Memory and registers stay until somebody has dumped them or wants no more of the machine; nothing else does.
        self._forget_reset()
        machine = self._running_machine()
        self._loop.unwatch(machine.eventfd)
        machine.stop()
        self._close_consoles()
        told_by_console = event.kind == "console_panic"
        self._crash = {
            "kind": "guest_panic" if told_by_console else event.kind,
            "vcpu": event.vcpu,
            "rip": f"{event.rip:#x}",
            "bytes": "" if told_by_console else event.detail.hex(" "),
        }
        detail = str(event)
        if event.kind == "triple_fault" and self._operating_system:
            detail += f"; not started again after {TRIPLE_FAULTS} of them within {TRIPLE_FAULTS_WITHIN:.0f} s"
        self._become(CRASHED, "crashed", "guest", detail)
