"""The agent's part in the Volume service: what rows of volumes and snapshots say is to be, comes to be.

A row that is ``creating`` or ``deleting`` is the work itself: it survives everything, and each step can be cut off and
done again. A volume that a server is using is copied between that server's operations, under the running guest.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable

from nova_lite import exceptions, objects
from nova_lite.compute import live_copy
from nova_lite.compute.journal import POLL_SECONDS, crash_if_asked
from nova_lite.db import instances as db_instances
from nova_lite.db import volume_snapshots as db_volume_snapshots
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Database
from nova_lite.hv.driver import Driver, DriverError
from nova_lite.volumes.store import Copier, VolumeStore

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

    def _where_it_is_free(self, uuid: str, source_id: str | None, make: Callable[[Copier | None], None]) -> None:
        """Run ``make``; where a server writes to the volume ``source_id``, in its turn and with a copier for that."""
        with self._database.read() as connection:
            server = db_volumes.attachments(connection, [source_id]).get(source_id) if source_id else None
        if server is None:
            make(None)
        elif uuid not in self._waiting:
            self._waiting.add(uuid)
            name = server.device_name.removeprefix("/dev/")
            self._submit(server.instance_uuid, functools.partial(self._in_use, uuid, server.instance_uuid, name, make))

    def _in_use(self, uuid: str, server_id: str, name: str, make: Callable[[Copier | None], None]) -> None:
        with self._database.read() as connection:
            instance = db_instances.get(connection, server_id)
        active = instance is not None and instance.vm_state == "active"
        try:
            make(lambda source, target: live_copy.copy_disk(self._driver, server_id, name, source, target, active))
        except DriverError as error:
            LOG.warning("A volume of server %s cannot be copied now: %s", server_id, error)
        finally:
            self._waiting.discard(uuid)

    def _make_volume(self, volume: objects.Volume, copier: Copier | None) -> None:
        crash_if_asked("volume:make:before")
        status = self._status_after(lambda: self._store.make(volume, copier=copier))
        crash_if_asked("volume:make:after")
        with self._database.write() as connection:
            current = db_volumes.get(connection, volume.uuid, for_update=True)
            if current is not None and current.status == "creating":
                db_volumes.update(connection, volume.uuid, status=status)

    def _make_snapshot(self, snapshot: objects.VolumeSnapshot, copier: Copier | None) -> None:
        crash_if_asked("snapshot:make:before")
        status = self._status_after(lambda: self._store.make_snapshot(snapshot, copier))
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
