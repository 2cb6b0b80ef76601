"""The fake driver: the contract kept in memory, for tests of what lies above it and for clients that need no VMs.

It can be told to fail, to be slow, and what its guests do. ``host`` stands for the machine it runs on: handed to the
next FakeDriver it survives a restart, as real VMs do; as a folder it survives the death of the process.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import threading
from builtins import list as List
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nova_lite.hv.driver import (
    Capabilities,
    DiskSpec,
    Driver,
    DriverError,
    MachineEvent,
    MachineInfo,
    MachineNotFound,
    MachineSpec,
    NicSpec,
    PowerState,
)

#: uuid → the machine and its console output.
Host = MutableMapping[str, tuple[MachineInfo, bytes]]

_STATE_OF_EVENT = {"shutdown": PowerState.SHUTDOWN, "crashed": PowerState.CRASHED, "gone": PowerState.SHUTDOWN}


#: Of a machine that is not there, but could go on.
_SAVED = "saved"


class FolderHost(MutableMapping[str, tuple[MachineInfo, bytes]]):
    """A host on disk: one file per machine, replaced as a whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __getitem__(self, uuid: str) -> tuple[MachineInfo, bytes]:
        try:
            document = json.loads((self._folder / f"{uuid}.json").read_bytes())
        except FileNotFoundError:
            raise KeyError(uuid) from None
        fields: dict[str, Any] = document["info"]
        info = MachineInfo(**fields | {"power_state": PowerState(fields["power_state"])})
        return info, document["console"].encode("latin-1")

    def __setitem__(self, uuid: str, machine: tuple[MachineInfo, bytes]) -> None:
        document = {"info": asdict(machine[0]), "console": machine[1].decode("latin-1")}
        draft = self._folder / f".{uuid}.{threading.get_ident()}"
        draft.write_text(json.dumps(document))
        draft.rename(self._folder / f"{uuid}.json")

    def __delitem__(self, uuid: str) -> None:
        try:
            (self._folder / f"{uuid}.json").unlink()
        except FileNotFoundError:
            raise KeyError(uuid) from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(path.stem for path in self._folder.glob("*.json")))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def next_pid(self) -> int:
        """A number that no machine of this host has had."""
        with open(self._folder / "last-pid", "a+", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            pid = int(file.read() or "1000000") + 1
            file.truncate(0)
            file.write(str(pid))
        return pid


class FakeDriver(Driver):
    """``host``: a dict, a folder, or None for one of its own. Verbs for one uuid wait for each other."""

    makes_disks = False

    def __init__(self, host: Host | Path | str | os.PathLike[str] | None = None) -> None:
        self._host: Host = {} if host is None else _as_host(host)
        self._failures: dict[str, List[str | Exception | None]] = {}
        self._delays: dict[str, float] = {}
        self._on_event: Callable[[MachineEvent], None] | None = None
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._verbs: dict[str, threading.RLock] = {}
        self._last_pid = max((info.pid for info, _ in self._host.values()), default=0) or 1_000_000
        #: Guests that do nothing when their power button is pressed; the others power themselves off.
        self.deaf: set[str] = set()
        #: Guests that keep the disks and cards which they are asked for.
        self.stubborn: set[str] = set()
        #: What each machine was last told to be, by uuid.
        self.specs: dict[str, MachineSpec] = {}
        #: (verb, uuid) of everything that was asked, in order.
        self.calls: List[tuple[str, str]] = []

    # -- what tests may order -----------------------------------------------------------------------------------

    def fail(self, verb: str, message: str | Exception = "The fake driver was told to fail.", times: int = 1) -> None:
        """Let the next ``times`` calls of ``verb`` fail: a sentence becomes a DriverError."""
        self._failures.setdefault(verb, []).extend([message] * times)

    def delay(self, verb: str, seconds: float) -> None:
        """Let every ``verb`` take that long; ``close`` cuts it short."""
        self._delays[verb] = seconds

    def fire(self, uuid: str, kind: str, detail: str = "") -> None:
        """Let a guest do something by itself (kinds of MachineEvent): its state changes, then the listener hears."""
        info, console = self._get(uuid)
        if kind == "gone":
            info = replace(info, pid=0, start_time=0)
        state = _STATE_OF_EVENT.get(kind, info.power_state)
        self._host[uuid] = (replace(info, power_state=state, detail=detail), console)
        if self._on_event is not None:
            self._on_event(MachineEvent(uuid, kind, detail))

    def write_console(self, uuid: str, output: bytes) -> None:
        """Let a guest print something."""
        info, console = self._get(uuid)
        self._host[uuid] = (info, console + output)

    # -- the contract -------------------------------------------------------------------------------------------

    def start(self, on_event: Callable[[MachineEvent], None]) -> None:
        with self._verb("start", ""):
            self._on_event = on_event

    def close(self) -> None:
        self._on_event = None
        self._closed.set()

    def capabilities(self) -> Capabilities:
        return Capabilities("fake", 1, "none", 8, 16384, 100, {"arch": "x86_64", "model": "fake"})

    def list(self) -> List[MachineInfo]:
        with self._verb("list", ""):
            return [info for info, _console in tuple(self._host.values())]

    def prepare(self, spec: MachineSpec) -> None:
        with self._verb("prepare", spec.uuid):
            for file in (spec.kernel, spec.initramfs):
                if file is not None and not file.is_file():
                    raise DriverError(f"The image '{file.name}' does not exist.")
            for disk in spec.disks:  # a machine that writes nothing has no files of its own
                needed = disk.backing if disk.format == "overlay" else disk.path
                if needed is not None and not needed.exists():
                    raise DriverError(f"The server's disk {disk.device_name} cannot be made: what it needs is missing.")
            self.specs[spec.uuid] = spec
            self._host.setdefault(spec.uuid, (MachineInfo(spec.uuid, PowerState.SHUTDOWN), b""))

    def power_on(self, spec: MachineSpec) -> MachineInfo:
        with self._verb("power_on", spec.uuid):
            return self._power_on(spec)

    def power_off(self, uuid: str) -> None:
        with self._verb("power_off", uuid):
            self._power_off(uuid)

    def reboot(self, spec: MachineSpec, hard: bool) -> MachineInfo:
        with self._verb("reboot", spec.uuid):
            found = self._host.get(spec.uuid)
            if not hard and found is not None and found[0].power_state == PowerState.RUNNING:
                self._print_banner(spec)
                return found[0]
            self._power_off(spec.uuid)
            return self._power_on(spec)

    def press_power_button(self, uuid: str) -> None:
        with self._verb("press_power_button", uuid):
            info, _console = self._running(uuid)
            if info.power_state is not PowerState.RUNNING:
                raise DriverError("The VM is paused; nobody would hear its power button.")
            if uuid not in self.deaf:
                self.fire(uuid, "shutdown")

    def send_nmi(self, uuid: str) -> None:
        with self._verb("send_nmi", uuid):
            info, _console = self._running(uuid)
            if info.power_state is not PowerState.RUNNING:
                raise DriverError("The VM is paused; no interrupt can be sent to it.")

    def pause(self, uuid: str) -> None:
        self._change("pause", uuid, PowerState.PAUSED)

    def resume(self, uuid: str) -> None:
        self._change("resume", uuid, PowerState.RUNNING)

    def suspend(self, uuid: str) -> None:
        with self._verb("suspend", uuid):
            info, console = self._get(uuid)
            if info.detail != _SAVED:
                self._running(uuid)
            self._host[uuid] = (MachineInfo(uuid, PowerState.SHUTDOWN, detail=_SAVED), console)

    def restore(self, spec: MachineSpec) -> MachineInfo:
        with self._verb("restore", spec.uuid):
            info, console = self._get(spec.uuid)
            if not self._is_on(spec.uuid):
                if info.detail != _SAVED:
                    raise DriverError("What the server had in memory when it was suspended is gone.")
                pid = self._next_pid()
                info = MachineInfo(spec.uuid, PowerState.RUNNING, pid, pid, spec.memory_mb, spec.vcpus)
                self.specs[spec.uuid] = spec
                self._host[spec.uuid] = (info, console)
            return info

    def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        with self._verb("attach_disk", uuid):
            spec = self.specs.get(uuid)
            if spec is None or not self._is_on(uuid):
                return
            if not disk.path.exists():
                raise DriverError(f"The disk {disk.device_name} cannot be attached: it is missing.")
            if disk.device_name not in {other.device_name for other in spec.disks}:
                self.specs[uuid] = replace(spec, disks=(*spec.disks, disk))

    def detach_disk(self, uuid: str, device_name: str, seconds: float) -> bool:
        with self._verb("detach_disk", uuid):
            spec = self.specs.get(uuid)
            if spec is None or not self._is_on(uuid):
                return True
            if uuid in self.stubborn and device_name in {disk.device_name for disk in spec.disks}:
                return False
            self.specs[uuid] = replace(spec, disks=tuple(d for d in spec.disks if d.device_name != device_name))
            return True

    def log_disk(self, uuid: str, device_name: str, on: bool) -> int:
        raise DriverError("A machine of the fake driver writes nothing.")

    def written_parts(self, uuid: str, device_name: str) -> bytes:
        raise DriverError("A machine of the fake driver writes nothing.")

    def remove_disk(self, uuid: str, disk: DiskSpec) -> None:
        self._off("remove_disk", uuid)

    def resize_disks(self, spec: MachineSpec) -> None:
        self._off("resize_disks", spec.uuid)

    def restore_disks(self, uuid: str) -> None:
        self._off("restore_disks", uuid)

    def forget_disks(self, uuid: str) -> None:
        with self._verb("forget_disks", uuid):
            return

    def attach_nic(self, uuid: str, nic: NicSpec) -> bool:
        with self._verb("attach_nic", uuid):
            spec = self.specs.get(uuid)
            if spec is not None and nic.id not in {other.id for other in spec.nics}:
                self.specs[uuid] = replace(spec, nics=(*spec.nics, nic))
            return self._is_on(uuid)

    def detach_nic(self, uuid: str, nic_id: str, seconds: float) -> bool:
        with self._verb("detach_nic", uuid):
            spec = self.specs.get(uuid)
            if uuid in self.stubborn and self._is_on(uuid):
                return False
            if spec is not None:
                self.specs[uuid] = replace(spec, nics=tuple(nic for nic in spec.nics if nic.id != nic_id))
            return True

    def destroy(self, uuid: str) -> None:
        with self._verb("destroy", uuid):
            self._host.pop(uuid, None)
            self.specs.pop(uuid, None)

    def info(self, uuid: str) -> MachineInfo:
        with self._verb("info", uuid):
            return self._get(uuid)[0]

    def counters(self, uuid: str) -> dict[str, dict[str, int]]:
        with self._verb("counters", uuid):
            info, console = self._running(uuid)
            zero = {"exits": 0, "io": 0, "mmio": 0, "interrupted": 0, "parks": 0, "cpu_ns": 0}
            return {"serial": {"bytes_out": len(console)}} | {f"vcpu{n}": dict(zero) for n in range(info.vcpus)}

    def console_output(self, uuid: str, max_bytes: int) -> bytes:
        with self._verb("console_output", uuid):
            console = self._host[uuid][1] if uuid in self._host else b""
            return console[-max_bytes:] if max_bytes > 0 else b""

    # -- inside -------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _verb(self, verb: str, uuid: str) -> Iterator[None]:
        with self._lock:
            self.calls.append((verb, uuid))
            waiting = self._failures.get(verb)
            failure = waiting.pop(0) if waiting else None
            lock = self._verbs.setdefault(uuid, threading.RLock())
        with lock:
            self._closed.wait(self._delays.get(verb, 0.0))
            if failure is not None:
                raise failure if isinstance(failure, Exception) else DriverError(failure)
            yield

    def _off(self, verb: str, uuid: str) -> None:
        """A verb on files, of which a fake machine has none."""
        with self._verb(verb, uuid):
            if self._is_on(uuid):
                raise DriverError("The VM's disks cannot be changed while it is on.")

    def _is_on(self, uuid: str) -> bool:
        found = self._host.get(uuid)
        return found is not None and found[0].power_state in (PowerState.RUNNING, PowerState.PAUSED)

    def _power_on(self, spec: MachineSpec) -> MachineInfo:
        found = self._host.get(spec.uuid)
        if found is not None and found[0].power_state in (PowerState.RUNNING, PowerState.PAUSED):
            return found[0]
        self.specs[spec.uuid] = spec
        pid = self._next_pid()
        info = MachineInfo(spec.uuid, PowerState.RUNNING, pid, pid, spec.memory_mb, spec.vcpus)
        self._host[spec.uuid] = (info, found[1] if found else b"")
        self._print_banner(spec)
        return info

    def _print_banner(self, spec: MachineSpec) -> None:
        self.write_console(spec.uuid, f"fake guest: {spec.name}\n".encode())

    def _power_off(self, uuid: str) -> None:
        if uuid in self._host:
            self._host[uuid] = (MachineInfo(uuid, PowerState.SHUTDOWN), self._host[uuid][1])

    def _change(self, verb: str, uuid: str, wanted: PowerState) -> None:
        with self._verb(verb, uuid):
            info, console = self._running(uuid)
            self._host[uuid] = (replace(info, power_state=wanted), console)

    def _next_pid(self) -> int:
        if isinstance(self._host, FolderHost):
            return self._host.next_pid()
        with self._lock:
            self._last_pid += 1
            return self._last_pid

    def _get(self, uuid: str) -> tuple[MachineInfo, bytes]:
        try:
            return self._host[uuid]
        except KeyError:
            raise MachineNotFound(f"No VM {uuid} is known on this host.") from None

    def _running(self, uuid: str) -> tuple[MachineInfo, bytes]:
        info, console = self._get(uuid)
        if info.power_state not in (PowerState.RUNNING, PowerState.PAUSED):
            raise MachineNotFound("The VM does not run.")
        return info, console


def _as_host(host: Host | str | os.PathLike[str]) -> Host:
    return FolderHost(Path(host)) if isinstance(host, str | os.PathLike) else host
