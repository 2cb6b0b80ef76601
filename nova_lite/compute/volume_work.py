"""The agent's part in the Volume service: what rows of volumes and snapshots say is to be, comes to be.

A row that is ``creating`` or ``deleting`` is the work itself: it survives everything, and each step can be cut off and
done again. A volume that a server is using is copied between that server's operations, while its machine stands still.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable

from nova_lite import exceptions, objects
from nova_lite.compute.journal import POLL_SECONDS, crash_if_asked
from nova_lite.db import instances as db_instances
from nova_lite.db import volume_snapshots as db_volume_snapshots
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Database
from nova_lite.hv.driver import Driver, DriverError, MachineNotFound, PowerState
from nova_lite.volumes.store import VolumeStore

LOG = logging.getLogger(__name__)

_FINISH_SECONDS = 5.0
Submit = Callable[[str, Callable[[], None]], None]


class VolumeWork:
    """One host's; a thread of its own between ``start`` and ``stop``.

    ``submit(server, job)`` runs a job between the operations of a server.
    """

    def __init__(self, database: Database, store: VolumeStore, driver: Driver, host: str, submit: Submit) -> None:
        self._database, self._store, self._driver, self._host = database, store, driver, host
        self._submit = submit
        self._waiting: set[str] = set()  # handed to a server's turn
        self._wake = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="volumes", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """There may be new work."""
        self._wake.set()

    def stop(self) -> None:
        """Let the step that runs come to its end, if that is soon; it is done again at the next start."""
        self._stopped = True
        self._wake.set()
        self._thread.join(_FINISH_SECONDS)

    def _run(self) -> None:
        while not self._stopped:
            self._wake.clear()
            try:
                self.work_off()
            except exceptions.Unavailable as error:
                LOG.error("The rows of volumes cannot be read: %s", error)
            except Exception:
                LOG.exception("Work on volumes failed; it is tried again")
            self._wake.wait(POLL_SECONDS)

    def work_off(self) -> None:
        """Do all that can be done now."""
        with self._database.read() as connection:
            volumes = db_volumes.to_make(connection, self._host)
            snapshots = db_volume_snapshots.list_(connection, self._host, status="creating")
        for volume in volumes:
            self._where_it_is_free(volume.uuid, volume.source_volid, functools.partial(self._make_volume, volume))
        for snapshot in snapshots:
            self._where_it_is_free(
                snapshot.uuid, snapshot.volume_id, functools.partial(self._make_snapshot, snapshot)
            )
        try:
            self._store.purge()
        except OSError as error:
            LOG.error("The files of a deleted volume cannot be deleted: %s", error)

    def _where_it_is_free(self, uuid: str, source_id: str | None, make: Callable[[], None]) -> None:
        """Run ``make`` while nobody writes to the volume ``source_id``."""
        with self._database.read() as connection:
            server = db_volumes.attachments(connection, [source_id]).get(source_id) if source_id else None
        if server is None:
            make()
        elif uuid not in self._waiting:
            self._waiting.add(uuid)
            self._submit(server.instance_uuid, functools.partial(self._held, uuid, server.instance_uuid, make))

    def _held(self, uuid: str, server_id: str, make: Callable[[], None]) -> None:
        """Run ``make`` while a server's machine stands still."""
        try:
            goes_on = self._hold(server_id)
            try:
                make()
            finally:
                if goes_on:
                    self._driver.resume(server_id)
        except DriverError as error:
            LOG.warning("A volume of server %s cannot be copied now: %s", server_id, error)
        finally:
            self._waiting.discard(uuid)

    def _hold(self, server_id: str) -> bool:
        """Whether it is to go on afterwards: an active server's machine may stand since an attempt that was cut off."""
        try:
            found = self._driver.info(server_id).power_state
        except MachineNotFound:
            return False
        if found is PowerState.RUNNING:
            self._driver.pause(server_id)
        with self._database.read() as connection:
            instance = db_instances.get(connection, server_id)
        active = instance is not None and instance.vm_state == "active"
        return active and found in (PowerState.RUNNING, PowerState.PAUSED)

    def _make_volume(self, volume: objects.Volume) -> None:
        crash_if_asked("volume:make:before")
        status = self._status_after(functools.partial(self._store.make, volume))
        crash_if_asked("volume:make:after")
        with self._database.write() as connection:
            current = db_volumes.get(connection, volume.uuid, for_update=True)
            if current is not None and current.status == "creating":
                db_volumes.update(connection, volume.uuid, status=status)

    def _make_snapshot(self, snapshot: objects.VolumeSnapshot) -> None:
        crash_if_asked("snapshot:make:before")
        status = self._status_after(functools.partial(self._store.make_snapshot, snapshot))
        crash_if_asked("snapshot:make:after")
        with self._database.write() as connection:
            current = db_volume_snapshots.get(connection, snapshot.uuid, for_update=True)
            if current is not None and current.status == "creating":
                db_volume_snapshots.update(connection, snapshot.uuid, status=status)

    def _status_after(self, make: Callable[[], None]) -> str:
        try:
            make()
        except exceptions.Invalid as error:
            LOG.error("%s", error)
            return "error"
        return "available"
