"""A hypervisor whose VMs are files, so that they outlive the agent as real ones do; for the tests of durability.

``<root>/<uuid>.json`` is a VM: its power state, and how often it was booted. What the guest does, a test does: it calls
``guest`` and the agent's driver, in whatever process, hears of it at once through a named pipe.
"""

from __future__ import annotations

import json
import os
import threading
from builtins import list as List
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nova_lite.hv.driver import (
    Capabilities,
    Driver,
    DriverError,
    MachineEvent,
    MachineInfo,
    MachineNotFound,
    MachineSpec,
    PowerState,
)

_OFF = {PowerState.SHUTDOWN, PowerState.CRASHED}
_KINDS = {"shutdown": PowerState.SHUTDOWN, "crashed": PowerState.CRASHED, "gone": None, "reset": PowerState.RUNNING}


class DiskDriver(Driver):
    """A kernel whose first word is ``bad`` is refused; one whose first word is ``nostart`` is refused at boot."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = threading.RLock()
        self._closed = False

    # -- the contract ------------------------------------------------------------------------------------------

    def start(self, on_event: Callable[[MachineEvent], None]) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        pipe = self.root / "events"
        if not pipe.exists():
            os.mkfifo(pipe)
        # Open for both ends: reading never meets the end of the file, and close() can write the last line itself.
        self._pipe = os.open(pipe, os.O_RDWR)
        self._watcher = threading.Thread(target=self._watch, args=(on_event,), daemon=True)
        self._watcher.start()

    def close(self) -> None:
        self._closed = True
        os.write(self._pipe, b"\n")
        self._watcher.join()
        os.close(self._pipe)

    def capabilities(self) -> Capabilities:
        return Capabilities("disk", 1000, "none", 64, 65536, 100, {"arch": "x86_64"})

    def list(self) -> List[MachineInfo]:
        return [self.info(path.stem) for path in sorted(self.root.glob("*.json"))]

    def prepare(self, spec: MachineSpec) -> None:
        if spec.kernel.read_bytes().startswith(b"bad"):
            raise DriverError(f"The kernel {spec.kernel.name} cannot be booted: it is no kernel.")
        with self._lock:
            if not self._path(spec.uuid).exists():
                self._write(spec.uuid, PowerState.SHUTDOWN, 0, 0)

    def power_on(self, spec: MachineSpec) -> MachineInfo:
        if spec.kernel.read_bytes().startswith(b"nostart"):
            raise DriverError("The guest cannot be started: no memory is left on the host.")
        with self._lock:
            state, _, boots = self._read(spec.uuid)
            if state in _OFF:
                self._write(spec.uuid, PowerState.RUNNING, 1, boots + 1)
        return self.info(spec.uuid)

    def power_off(self, uuid: str) -> None:
        with self._lock:
            if self._path(uuid).exists():
                self._write(uuid, PowerState.SHUTDOWN, 0, self._read(uuid)[2])

    def reboot(self, spec: MachineSpec, hard: bool) -> MachineInfo:
        with self._lock:
            self._write(spec.uuid, PowerState.RUNNING, 1, self._read(spec.uuid)[2] + 1)
        return self.info(spec.uuid)

    def pause(self, uuid: str) -> None:
        self._switch(uuid, PowerState.RUNNING, PowerState.PAUSED)

    def resume(self, uuid: str) -> None:
        self._switch(uuid, PowerState.PAUSED, PowerState.RUNNING)

    def destroy(self, uuid: str) -> None:
        self._path(uuid).unlink(missing_ok=True)

    def info(self, uuid: str) -> MachineInfo:
        state, pid, _ = self._read(uuid)
        detail = "triple fault at rip 0x1000" if state is PowerState.CRASHED else ""
        return MachineInfo(uuid, state, pid, pid, detail=detail)

    def counters(self, uuid: str) -> dict[str, dict[str, int]]:
        return {"vm": {"boots": self._read(uuid)[2]}}

    def console_output(self, uuid: str, max_bytes: int) -> bytes:
        _, _, boots = self._read(uuid)
        return "".join(f"boot {number}\n" for number in range(1, boots + 1)).encode()[-max_bytes:]

    # -- what a test does and asks -----------------------------------------------------------------------------

    def guest(self, uuid: str, kind: str) -> None:
        """The guest powers itself off (``shutdown``), crashes, reboots (``reset``), or its VM dies (``gone``)."""
        state = _KINDS[kind]
        boots = self._read(uuid)[2]
        self._write(uuid, state if state is not None else PowerState.SHUTDOWN, 0 if state is None else 1, boots)
        with open(self.root / "events", "w") as pipe:
            pipe.write(json.dumps({"uuid": uuid, "kind": kind}) + "\n")

    def boots(self, uuid: str) -> int:
        return self._read(uuid)[2]

    def exists(self, uuid: str) -> bool:
        return self._path(uuid).exists()

    # -- inside ------------------------------------------------------------------------------------------------

    def _watch(self, on_event: Callable[[MachineEvent], None]) -> None:
        with os.fdopen(os.dup(self._pipe)) as lines:
            for line in lines:
                if self._closed:
                    return
                event: dict[str, Any] = json.loads(line)
                detail = "triple fault at rip 0x1000" if event["kind"] == "crashed" else ""
                on_event(MachineEvent(event["uuid"], event["kind"], detail))

    def _path(self, uuid: str) -> Path:
        return self.root / f"{uuid}.json"

    def _read(self, uuid: str) -> tuple[PowerState, int, int]:
        try:
            document = json.loads(self._path(uuid).read_text())
        except FileNotFoundError:
            raise MachineNotFound(f"No VM {uuid} is known on this host.") from None
        return PowerState(document["state"]), document["pid"], document["boots"]

    def _write(self, uuid: str, state: PowerState, pid: int, boots: int) -> None:
        beside = self._path(uuid).with_suffix(".new")
        beside.write_text(json.dumps({"state": int(state), "pid": pid, "boots": boots}))
        beside.rename(self._path(uuid))

    def _switch(self, uuid: str, expected: PowerState, wanted: PowerState) -> None:
        with self._lock:
            state, pid, boots = self._read(uuid)
            if state not in (expected, wanted):
                raise MachineNotFound("The VM does not run.")
            self._write(uuid, wanted, pid, boots)
