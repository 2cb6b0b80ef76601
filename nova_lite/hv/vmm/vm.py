"""The virtual machine of a VMM: its states, and the commands that lead from one to the other.

Everything here runs in the control loop's thread. The table ``_NEEDS`` is the whole state machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from nova_lite.hv import host
from nova_lite.hv.native.machine import Event, Machine, MachineError
from nova_lite.hv.vmm import assembly, coredump, loader, smbios
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.consoles import Consoles
from nova_lite.hv.vmm.control import ControlLoop
from nova_lite.hv.vmm.errors import NotCreated, VmmError, WrongState
from nova_lite.hv.vmm.guest_events import CRASHED, CREATED, PAUSED, RUNNING, SHUTDOWN, GuestEvents
from nova_lite.hv.vmm.restarts import Restarts

LOG = logging.getLogger(__name__)

#: command → the states it may start from.
_NEEDS: dict[str, tuple[str, ...]] = {
    "vm.boot": (CREATED, SHUTDOWN, CRASHED),
    "vm.shutdown": (RUNNING, PAUSED, CRASHED),
    "vm.reboot": (RUNNING, PAUSED, CRASHED),
    "vm.pause": (RUNNING,),
    "vm.resume": (PAUSED,),
    "vm.power-button": (RUNNING,),
    "vm.nmi": (RUNNING,),
    "vm.coredump": (PAUSED, CRASHED),
    "vm.snapshot": (PAUSED,),
    "vm.resize": (CREATED, RUNNING, PAUSED, SHUTDOWN, CRASHED),
    "vm.counters": (RUNNING, PAUSED),
}

EventListener = Callable[[dict[str, Any]], None]
_T = TypeVar("_T")


class Vm(GuestEvents):
    """At most one machine, from vm.create to vm.delete. ``on_event`` gets every VmEvent document."""

    def __init__(self, loop: ControlLoop, on_event: EventListener, request_exit: Callable[[], None]) -> None:
        self._loop, self._on_event, self._request_exit = loop, on_event, request_exit
        self._config: VmConfig | None = None
        self._machine: Machine | None = None
        self._consoles: Consoles | None = None
        self.state = CREATED
        self._detail = ""
        self._crash: dict[str, Any] | None = None
        self._reset_due = False
        self._hotplug: Any = None  # a hotplug.Hotplug, once a device has come or gone
        self._panic: Event | None = None
        self._suspect: Any = None  # a panic.Suspect
        self._operating_system = False
        self._restarts = Restarts()

    # -- commands -----------------------------------------------------------------------------------------------

    def create(self, config: VmConfig) -> None:
        if self._config is not None:
            raise VmmError(409, "The VM is created already", "send PUT vm.delete first")
        self._config = config
        self._become(CREATED, "created")

    def boot(self) -> None:
        self._check("vm.boot")
        self._release()
        config = self._created()
        try:
            machine = self._build(config)
            self._load_and_start(config, machine)
        except VmmError:
            self._release()
            raise
        self._loop.watch(machine.eventfd, self._on_machine_event)
        self._become(RUNNING, "booted")

    def restore(self, folder: Path, config: VmConfig | None = None) -> None:
        """Create the machine that vm.snapshot saved, paused; ``config`` in place of the one that was saved with it."""
        from nova_lite.hv.vmm import snapshot

        if self._config is not None:
            raise VmmError(409, "The VM is created already", "send PUT vm.delete first")
        saved = snapshot.Saved(folder)
        self._config = config = config or saved.config()
        try:
            machine = self._build(config, saved.slots)
            self._attempt("The VM cannot be restored", lambda: saved.load(machine))
            self._attempt("The VM cannot be started", lambda: machine.start(paused=True))
        except VmmError:
            self._release()
            self._config = None
            raise
        self._operating_system = saved.operating_system
        self._loop.watch(machine.eventfd, self._on_machine_event)
        self._become(PAUSED, "restored")

    def shutdown(self) -> None:
        self._check("vm.shutdown")
        self._release()
        self._become(SHUTDOWN, "shutdown")

    def reboot(self) -> None:
        self._check("vm.reboot")
        if self._machine is None or self.state == CRASHED:
            self.boot()
        else:
            self._restart("api")

    def pause(self) -> None:
        self._check("vm.pause")
        self._attempt("The VM cannot be paused", self._running_machine().pause)
        # The guest may have ended just before it stopped; then it is not paused but off, crashed or due for a reset.
        self._on_machine_event()
        if self._reset_due:
            self._restart_for_guest()
        self._check("vm.pause")
        self._attempt("The VM cannot be paused", self._running_machine().pause)
        self._become(PAUSED, "paused")

    def resume(self) -> None:
        self._check("vm.resume")
        self._attempt("The VM cannot be resumed", self._running_machine().resume)
        self._become(RUNNING, "resumed")
        self._take_ejected()

    def press_power_button(self) -> None:
        self._check("vm.power-button")
        self._attempt("The power button cannot be pressed", self._running_machine().press_power_button)

    def nmi(self) -> None:
        self._check("vm.nmi")
        self._attempt("The interrupt cannot be sent", self._running_machine().nmi)

    def add_device(self, kind: str, given: dict[str, Any]) -> dict[str, Any] | None:
        """A device more, of the schema ``kind``: at once (its PciDeviceInfo), or from the next start on (None)."""
        self._config, answer = self._with_hotplug().add(self._created(), self._machine_if_on(), kind, given)
        return answer

    def remove_device(self, name: str) -> None:
        """Ask the guest for a device; where none runs, it is gone at once."""
        self._config = self._with_hotplug().remove(self._created(), self._machine_if_on(), name)

    def disk_log(self, given: dict[str, str]) -> dict[str, Any]:
        from nova_lite.hv.vmm import disk_log

        return disk_log.run(self._machine_if_on(), given)

    def coredump(self, path: Path) -> None:
        self._check("vm.coredump")
        if self._machine is None:
            raise VmmError(409, "The dump cannot be written", "nothing is left of the machine")
        self._attempt("The dump cannot be written", lambda: coredump.write(self._running_machine(), path))

    def snapshot(self, folder: Path) -> None:
        from nova_lite.hv.vmm import snapshot

        config, machine = self._check("vm.snapshot"), self._running_machine()
        self._attempt(
            "The VM cannot be saved", lambda: snapshot.write(machine, config.document, self._operating_system, folder)
        )
        self._emit("saved", "api")

    def resize(self, wanted: dict[str, int]) -> None:
        from nova_lite.hv.vmm import resize

        self._config = resize.resized(self._check("vm.resize"), wanted, self.state in (RUNNING, PAUSED))
        if self._machine is not None and "desired_balloon" in wanted:
            machine = self._machine
            self._attempt("The balloon cannot be resized", lambda: machine.resize_balloon(wanted["desired_balloon"]))

    def delete(self) -> None:
        """Whatever the state; nothing to do when there is no VM."""
        if self._config is None:
            return
        self._release()
        self._config, self._hotplug, self.state, self._detail, self._crash = None, None, CREATED, "", None
        self._emit("deleted", "api")

    def info(self) -> dict[str, Any]:
        if self._config is None:
            raise NotCreated
        document = {"state": self.state, **assembly.describe(self._config, self._consoles, self._machine)}
        if self._hotplug is not None and self._hotplug.removing:
            document["removing"] = self._hotplug.removing
        if self._detail:
            document["detail"] = self._detail
        if self._crash is not None:
            document["crash"] = self._crash
        return document

    def counters(self) -> dict[str, dict[str, int]]:
        self._check("vm.counters")
        return self._running_machine().counters()

    def serial_input(self, data: bytes) -> int:
        """Bytes for COM1; how many were taken. All are when nothing runs: there is nobody to read them."""
        return len(data) if self._machine is None else self._machine.serial_input(data)

    def console_input(self, data: bytes) -> int:
        """Bytes for the virtio console, likewise."""
        return len(data) if self._machine is None else self._machine.console_input(data)

    def resize_console(self, columns: int, rows: int) -> None:
        """The window that shows the virtio console has another size."""
        if self._machine is not None:
            self._machine.resize_console(columns, rows)

    def subscribed_event(self) -> dict[str, Any]:
        """The first line of an event stream: where things stand."""
        return self._document("subscribed", "api")

    # -- inside -------------------------------------------------------------------------------------------------

    def _created(self) -> VmConfig:
        if self._config is None:
            raise NotCreated
        return self._config

    def _build(self, config: VmConfig, slots: Mapping[str, int] | None = None) -> Machine:
        consoles = self._consoles = Consoles(
            config, self._loop, self.serial_input, self.console_input, self.resize_console, self._request_exit
        )
        machine = self._attempt("The VM cannot be built", lambda: assembly.build(config, consoles, slots or {}))
        self._machine = machine
        return machine

    def _machine_if_on(self) -> Machine | None:
        return self._machine if self.state in (RUNNING, PAUSED) else None

    def _with_hotplug(self) -> Any:
        if self._hotplug is None:
            from nova_lite.hv.vmm.hotplug import Hotplug

            self._hotplug = Hotplug(self._emit)
        return self._hotplug

    def _check(self, command: str) -> VmConfig:
        config = self._created()
        if self.state not in _NEEDS[command]:
            raise WrongState(command, self.state, _NEEDS[command])
        return config

    def _restart(self, initiator: str) -> None:
        """Reset the machine that exists and boot it again; it is released when that fails."""
        config, machine = self._config, self._running_machine()
        assert config is not None
        self._forget_reset()
        try:
            self._attempt("The VM cannot be reset", machine.reset)
            if self._hotplug is not None:
                self._config = config = self._hotplug.take_rest(config, machine)
            self._load_and_start(config, machine)
        except VmmError:
            self._release()
            self.state = SHUTDOWN
            raise
        self._become(RUNNING, "rebooted", initiator)

    def _load_and_start(self, config: VmConfig, machine: Machine) -> None:
        what = "firmware" if "firmware" in config.document["payload"] else "kernel"
        kernel = self._attempt(
            f"The {what} cannot be loaded",
            lambda: loader.load(
                machine,
                config.kernel,
                config.cmdline,
                config.kernel_format,
                initramfs=config.initramfs,
                unpacked=host.kvm_kind() == "kvm-pvm",
            ),
        )
        self._operating_system = kernel.operating_system
        if kernel.format != loader.FLAT16:
            machine.write_memory(smbios.ADDRESS, smbios.build(config.document.get("platform", {})))
        self._attempt("The VM cannot be started", machine.start)

    @staticmethod
    def _attempt(sentence: str, step: Callable[[], _T]) -> _T:
        try:
            return step()
        except loader.LoaderError as error:
            raise VmmError(400, sentence, str(error)) from error
        except (MachineError, OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise VmmError(400 if isinstance(error, FileExistsError) else 500, sentence, reason) from error

    def _running_machine(self) -> Machine:
        assert self._machine is not None
        return self._machine

    def _release(self) -> None:
        """Give back what the machine holds: threads, memory, the far ends of its consoles."""
        self._forget_reset()
        machine, self._machine = self._machine, None
        if machine is not None:
            if self.state in (RUNNING, PAUSED):
                self._loop.unwatch(machine.eventfd)
            machine.close()
        self._close_consoles()
        if self._hotplug is not None:
            self._config = self._hotplug.take_rest(self._created(), None)

    def _close_consoles(self) -> None:
        consoles, self._consoles = self._consoles, None
        if consoles is not None:
            consoles.close()

    def _forget_reset(self) -> None:
        self._reset_due, self._panic, self._suspect = False, None, None
        self._loop.cancel()

    def _become(self, state: str, event: str, initiator: str = "api", detail: str = "") -> None:
        self.state, self._detail = state, detail
        if state != CRASHED:
            self._crash = None
        self._emit(event, initiator)

    def _emit(self, event: str, initiator: str, detail: str | None = None) -> None:
        self._on_event(self._document(event, initiator) | ({} if detail is None else {"detail": detail}))

    def _document(self, event: str, initiator: str) -> dict[str, Any]:
        state = None if self._config is None else self.state
        return {"event": event, "initiator": initiator, "state": state, "detail": self._detail}
