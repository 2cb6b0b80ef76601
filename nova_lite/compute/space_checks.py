"""A host that has no room left for what its guests write: looked for now and then, said of the servers that it hits,
and taken back when there is room again."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from nova_lite import objects
from nova_lite.compute.plans.base import ACTIVE, PAUSED, STOPPED
from nova_lite.compute.server_host import Host
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db import reserve
from nova_lite.hv.driver import DriverError, PowerState

LOG = logging.getLogger(__name__)

#: Below so many bytes free, guests are looked at; above as many, it is over.
_LITTLE, _ENOUGH = 16 << 20, 64 << 20
NO_ROOM = (
    "The host has no space left: the guest gets I/O errors for what it writes. What was on its disks before is still "
    "there. Ask the host's administrator to free some; the server is active again then. Reboot it if its file systems "
    "have become read-only."
)
_AFTER = {PowerState.RUNNING: ACTIVE, PowerState.PAUSED: PAUSED, PowerState.SHUTDOWN: STOPPED}


class SpaceChecks:
    """``folders`` hold what guests write to; ``submit(server, job)`` runs a job between a server's operations."""

    def __init__(
        self,
        host: Host,
        folders: tuple[Path, ...],
        interval: float,
        submit: Callable[[str, Callable[[], None]], None],
    ) -> None:
        self._host, self._folders, self._interval, self._submit = host, folders, interval, submit
        self._errors: dict[str, int] = {}  # of each server's disks, when they were looked at last
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="space", daemon=True)

    def start(self) -> None:
        try:
            reserve.keep_log(self._host.database)
        except OSError as error:
            LOG.warning("The database gets no room of its own: %s", error.strerror)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self.check()
            except Exception as error:  # the database may lie there too: the next look may work
                LOG.warning("The host's free space is not looked after this time: %s", error)

    def check(self) -> None:
        """Look once."""
        free = min(_free(folder) for folder in self._folders)
        with self._host.database.read() as connection:
            servers = db_instances.of_host(connection, self._host.name)
        if free < _LITTLE:
            LOG.error("The host has %d MiB left for what guests write", free >> 20)
            for server in servers:
                if server.vm_state == "active" and self._has_new_errors(server.uuid):
                    self._submit(server.uuid, partial(self._say, server.uuid))
        elif free > _ENOUGH:
            self._errors.clear()
            reserve.keep_log(self._host.database)  # it is another one when nobody had the database open
            reserve.keep_pages(self._host.database)
            for server in servers:
                if _is_hit(server):
                    self._submit(server.uuid, partial(self._take_back, server.uuid))

    def _has_new_errors(self, uuid: str) -> bool:
        try:
            counters = self._host.driver.counters(uuid)
        except DriverError as error:
            LOG.info("The VM of server %s cannot be asked for errors of its disks: %s", uuid, error)
            return False
        errors = sum(values.get("errors", 0) for name, values in counters.items() if name.startswith("vd"))
        before = self._errors.get(uuid, 0)
        self._errors[uuid] = errors
        return errors > before

    def _say(self, uuid: str) -> None:
        self._write(uuid, lambda server: server.vm_state == "active", {
            "vm_state": "error", **db_instances.fault_columns(500, NO_ROOM)
        })  # fmt: skip
        LOG.error("Server %s: the guest has got I/O errors, as the host is full", uuid)

    def _take_back(self, uuid: str) -> None:
        after = _AFTER.get(self._host.info(uuid).power_state)
        if after is not None:
            nothing = dict.fromkeys(db_instances.fault_columns(0, ""))
            self._write(uuid, _is_hit, after | nothing)
            LOG.info("Server %s: the host has room again", uuid)

    def _write(self, uuid: str, still: Callable[[objects.Instance], bool], columns: dict[str, object]) -> None:
        with self._host.database.write() as connection:
            server = db_instances.get(connection, uuid, for_update=True)
            if server is None or server.deleted or not still(server):
                return
            if not db_operations.is_outstanding(connection, uuid):
                db_instances.update(connection, uuid, columns)


def _is_hit(server: objects.Instance) -> bool:
    return server.vm_state == "error" and server.fault is not None and server.fault.message == NO_ROOM


def _free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize
