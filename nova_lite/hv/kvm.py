"""The kvm driver: every VM is a VMM process that outlives us; we find it again by its lock, record and answer.

At most one VMM serves a VM's socket, whatever happens to us and when: the VMM itself takes the lock beside the socket
before it does anything else. A start that was cut off therefore ends in a VMM that is found by its lock, or in none.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import threading
from builtins import list as List
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from nova_lite.hv import (
    console_log,
    host,
    kvm_devices,
    server_disks,
    suspension,
    vm_config,
    vmm_process,
    watcher,
)
from nova_lite.hv.driver import (
    Capabilities,
    DriverError,
    MachineEvent,
    MachineInfo,
    MachineNotFound,
    MachineSpec,
    PowerState,
)
from nova_lite.hv.kvm_devices import ANSWER, DeviceVerbs
from nova_lite.hv.vmm import client, loader, process, record, spawner
from nova_lite.hv.vmm_process import VmmProcess
from nova_lite.paths import Paths

LOG = logging.getLogger(__name__)

_POWER_STATES = {
    "Created": PowerState.SHUTDOWN,
    "Running": PowerState.RUNNING,
    "Paused": PowerState.PAUSED,
    "Shutdown": PowerState.SHUTDOWN,
    "Crashed": PowerState.CRASHED,
}
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class KvmDriver(DeviceVerbs):
    """VMs of the host in ``paths.instances``, one folder each. ``console_log_size`` in bytes."""

    def __init__(self, paths: Paths, console_log_size: int = console_log.DEFAULT_CAPACITY) -> None:
        self._paths, self._console_log_size = paths, console_log_size
        self._boot_id = process.boot_id()
        self._spawner = spawner.Spawner(paths.run / "zygote.log")
        self._watcher: watcher.Watcher | None = None
        self._lock = threading.Lock()
        self._vmms: dict[str, VmmProcess] = {}
        self._verbs: dict[str, threading.RLock] = {}

    # -- life of the driver -------------------------------------------------------------------------------------

    def start(self, on_event: Callable[[MachineEvent], None]) -> None:
        self._paths.make()
        host.say_what_kvm(host.kvm_kind())
        self._spawner.start()
        self._watcher = watcher.Watcher(on_event)
        self._watcher.start()
        for uuid in self._folders():
            with self._verb(uuid):
                self._current(uuid)
        vmm_process.kill_strays(self._paths.instances)

    def close(self) -> None:
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None
        self._spawner.close()
        for vmm in self._vmms.values():
            vmm.close()
        self._vmms.clear()

    @property
    def zygote_pid(self) -> int | None:
        """The process that VMMs are forked from; None before ``start``."""
        return self._spawner.zygote_pid

    def capabilities(self) -> Capabilities:
        return host.capabilities(self._paths.state)

    # -- verbs --------------------------------------------------------------------------------------------------

    def prepare(self, spec: MachineSpec) -> None:
        try:
            loader.check(spec.kernel, spec.memory_mb << 20, spec.kernel_format, spec.initramfs, spec.cmdline)
        except loader.LoaderError as error:
            raise DriverError(str(error)) from error
        with self._verb(spec.uuid):
            self._make_folder(spec.uuid)
            for disk in spec.disks:
                server_disks.make(disk)

    def power_on(self, spec: MachineSpec) -> MachineInfo:
        with self._verb(spec.uuid):
            running = self._running(spec.uuid)
            if running is not None:
                return running
            self._end(spec.uuid)  # one that is switched off or crashed, and what a dead one left
            suspension.forget(self._paths.saved_machine(spec.uuid))
            self._make_folder(spec.uuid)
            for disk in spec.disks:
                server_disks.check(disk)
            return self._start_vmm(spec)

    def power_off(self, uuid: str) -> None:
        with self._verb(uuid):
            self._end(uuid)
            suspension.forget(self._paths.saved_machine(uuid))

    def reboot(self, spec: MachineSpec, hard: bool) -> MachineInfo:
        with self._verb(spec.uuid):
            running = self._running(spec.uuid)
            if not hard and running is not None and running.power_state == PowerState.RUNNING:
                try:
                    self._request(spec.uuid, "PUT", "vm.reboot")
                    return self.info(spec.uuid)
                except DriverError as error:
                    LOG.info("VM %s cannot be reset and gets a new process: %s", spec.uuid, error)
            self._end(spec.uuid)
            return self.power_on(spec)

    def press_power_button(self, uuid: str) -> None:
        with self._verb(uuid):
            self._current(uuid)
            self._request(uuid, "PUT", "vm.power-button")

    def send_nmi(self, uuid: str) -> None:
        with self._verb(uuid):
            self._current(uuid)
            self._request(uuid, "PUT", "vm.nmi")

    def pause(self, uuid: str) -> None:
        self._change(uuid, "vm.pause", PowerState.PAUSED)

    def resume(self, uuid: str) -> None:
        self._change(uuid, "vm.resume", PowerState.RUNNING)

    def suspend(self, uuid: str) -> None:
        saved = self._paths.saved_machine(uuid)
        with self._verb(uuid):
            running = self._running(uuid)
            if running is None:
                if saved.is_dir():
                    return  # it was done, and who asked for it did not live to hear of it
                raise MachineNotFound("The VM does not run.")
            suspension.forget(saved)  # of an attempt that ended before its VM did
            self.pause(uuid)
            try:
                seconds = ANSWER + running.memory_mb / suspension.SLOWEST
                self._request(uuid, "PUT", "vm.snapshot", {"destination_url": f"file://{saved}"}, seconds)
            except DriverError:
                self.resume(uuid)
                raise
            self._end(uuid)

    def restore(self, spec: MachineSpec) -> MachineInfo:
        saved = self._paths.saved_machine(spec.uuid)
        with self._verb(spec.uuid):
            if self._running(spec.uuid) is None:
                self._end(spec.uuid)
                for disk in spec.disks:
                    server_disks.check(disk)
                self._start_vmm(spec, saved)
            suspension.forget(saved)  # before the guest writes to its disks: the two fit no longer then
            self.resume(spec.uuid)
            return self.info(spec.uuid)

    def destroy(self, uuid: str) -> None:
        folder = self._folder(uuid)
        with self._verb(uuid):
            self._end(uuid)
            if folder.is_dir():
                # The lock keeps a VMM away that a dead driver asked for: it would find neither lock nor folder.
                with vmm_process.kept_out(self._paths.vmm_socket(uuid)):
                    _remove_folder(folder)
        with self._lock:
            self._verbs.pop(uuid, None)

    # -- questions ----------------------------------------------------------------------------------------------

    def list(self) -> List[MachineInfo]:
        found = []
        for uuid in self._folders():
            try:
                found.append(self.info(uuid))
            except MachineNotFound:  # destroyed meanwhile
                continue
            except DriverError as error:
                vmm = self._vmms.get(uuid)
                pid, start_time = (vmm.pid, vmm.start_time) if vmm else (0, 0)
                found.append(MachineInfo(uuid, PowerState.NOSTATE, pid, start_time, detail=str(error)))
        return found

    def info(self, uuid: str) -> MachineInfo:
        folder = self._folder(uuid)
        with self._verb(uuid):
            vmm = self._current(uuid)
        if vmm is None:
            if not folder.is_dir():
                raise MachineNotFound(f"No VM {uuid} is known on this host.")
            return MachineInfo(uuid, PowerState.SHUTDOWN)
        document = self._request(uuid, "GET", "vm.info")
        config = document["config"]
        return MachineInfo(
            uuid=uuid,
            power_state=_POWER_STATES[document["state"]],
            pid=vmm.pid,
            start_time=vmm.start_time,
            memory_mb=config["memory"]["size"] >> 20,
            vcpus=config["cpus"]["boot_vcpus"],
            detail=document.get("detail", ""),
        )

    def counters(self, uuid: str) -> dict[str, dict[str, int]]:
        answer: dict[str, dict[str, int]] = self._request(uuid, "GET", "vm.counters")
        return answer

    def console_output(self, uuid: str, max_bytes: int) -> bytes:
        self._folder(uuid)
        return console_log.read_tail(self._paths.console_log(uuid), max_bytes)

    # -- one VMM ------------------------------------------------------------------------------------------------

    def _start_vmm(self, spec: MachineSpec, saved: Path | None = None) -> MachineInfo:
        """A new VMM; paused, where one was ``saved``."""
        folder, path = self._folder(spec.uuid), self._paths.vmm_socket(spec.uuid)
        try:
            record.write(folder, record.Record(spec.uuid, self._boot_id))
        except OSError as error:
            what = server_disks.reason(error, "start the server again")
            raise DriverError(f"The VM's record cannot be written: {what}.") from error
        try:
            with vm_config.taps(spec) as (cards, fds):
                if saved is None:
                    config = vm_config.of(spec, self._paths, self._console_log_size) | cards
                else:
                    config = suspension.config(saved, cards)
                spawned = self._spawner.spawn(path, spec.uuid[:8], config, fds, saved)
        except spawner.SpawnFailed as error:
            # Whatever it was, a VMM may have come of it: one that a dead driver asked for, or ours after its time.
            running = self._running(spec.uuid)
            if running is not None and error.in_use is not None:
                return running
            self._end(spec.uuid)
            raise DriverError(str(error)) from error
        completed = record.Record(spec.uuid, self._boot_id, spawned.pid, spawned.start_time)
        vmm_process.complete_record(folder, completed)
        vmm = vmm_process.hold(spawned.pid, spawned.start_time)
        if vmm is None:
            raise DriverError("The VM's process ended as soon as it had started.")
        self._keep(spec.uuid, vmm)
        state = PowerState.RUNNING if saved is None else PowerState.PAUSED
        return MachineInfo(spec.uuid, state, spawned.pid, spawned.start_time, spec.memory_mb, spec.vcpus)

    def _current(self, uuid: str) -> VmmProcess | None:
        """The VMM that serves this VM now, adopted if we did not know it."""
        vmm = self._vmms.get(uuid)
        if vmm is not None:
            if not vmm.has_ended():
                return vmm
            self._drop(uuid)  # the watcher still has its own hold and reports it gone
        return self._adopt(uuid)

    def _adopt(self, uuid: str) -> VmmProcess | None:
        vmm = vmm_process.find(uuid, self._folder(uuid), self._paths.vmm_socket(uuid), self._boot_id)
        if vmm is not None:
            self._keep(uuid, vmm)
        return vmm

    def _keep(self, uuid: str, vmm: VmmProcess) -> None:
        self._vmms[uuid] = vmm
        if self._watcher is not None:
            self._watcher.add(uuid, self._paths.vmm_socket(uuid), vmm.pidfd)

    def _drop(self, uuid: str) -> None:
        vmm = self._vmms.pop(uuid, None)
        if vmm is not None:
            vmm.close()

    def _end(self, uuid: str) -> None:
        """No VMM afterwards, and nothing left of one but its logs."""
        folder = self._folder(uuid)
        vmm = self._current(uuid)
        if self._watcher is not None:
            self._watcher.forget(uuid)  # what happens from here on is our doing
        if vmm is not None:
            vmm.end()
            self._drop(uuid)
        if folder.is_dir():
            socket = self._paths.vmm_socket(uuid)
            try:
                with vmm_process.kept_out(socket):
                    socket.unlink(missing_ok=True)
                    self._paths.serial_socket(uuid).unlink(missing_ok=True)
                    record.remove(folder)
            except OSError as error:
                raise DriverError(f"The VM's folder cannot be tidied: {error.strerror}.") from error

    # -- inside -------------------------------------------------------------------------------------------------

    def _running(self, uuid: str) -> MachineInfo | None:
        """Its info when it runs or is paused. A VMM that does not answer counts as none: it has to be replaced."""
        try:
            info = self.info(uuid)
        except DriverError:
            return None
        return info if info.power_state in (PowerState.RUNNING, PowerState.PAUSED) else None

    def _change(self, uuid: str, command: str, wanted: PowerState) -> None:
        with self._verb(uuid):
            if self.info(uuid).power_state != wanted:
                self._request(uuid, "PUT", command)

    def _request(self, uuid: str, method: str, name: str, body: object = None, timeout: float = ANSWER) -> Any:
        if uuid not in self._vmms:
            raise MachineNotFound("The VM does not run.")
        with kvm_devices.said(uuid):
            return client.request(self._paths.vmm_socket(uuid), method, name, body, timeout=timeout)

    @contextlib.contextmanager
    def _verb(self, uuid: str) -> Iterator[None]:
        """One verb at a time for one VM."""
        with self._lock:
            lock = self._verbs.setdefault(uuid, threading.RLock())
        with lock:
            yield

    @contextlib.contextmanager
    def _off(self, uuid: str) -> Iterator[None]:
        """One verb at a time for a VM that has no process."""
        with self._verb(uuid):
            if self._current(uuid) is not None:
                raise DriverError("The VM's disks cannot be changed while it is on.")
            yield

    def _folder(self, uuid: str) -> Path:
        if not _UUID.fullmatch(uuid):
            raise DriverError("The VM's uuid is not a UUID in its usual form.")
        return self._paths.instance(uuid)

    def _folders(self) -> List[str]:
        with os.scandir(self._paths.instances) as entries:
            return sorted(entry.name for entry in entries if _UUID.fullmatch(entry.name) and entry.is_dir())

    def _make_folder(self, uuid: str) -> None:
        folder, log = self._folder(uuid), self._paths.console_log(uuid)
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not log.exists():
                console_log.create(log, self._console_log_size)
        except OSError as error:
            what = server_disks.reason(error, "create the server again")
            raise DriverError(f"The VM's folder cannot be made: {what}.") from error


def _remove_folder(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise DriverError(f"The VM's folder cannot be removed: {error.strerror}.") from error
