"""The agent's part in volumes: giving them to machines, taking them back, and freeing those that are back.

A volume that is being detached is free when no machine has it: at once where none runs, else when the guest has let go
of it, which may be at any time later. ``settle`` finds that out; it runs after every operation on a server, when its
machine says that a device has gone, and when the agent starts.
"""

from __future__ import annotations

import logging

from nova_lite import exceptions, objects
from nova_lite.compute.server_disks import ServerDisks
from nova_lite.db import block_devices as db_block_devices
from nova_lite.db import volumes as db_volumes
from nova_lite.db.engine import Connection, Database
from nova_lite.hv.driver import Driver, DriverError
from nova_lite.volumes.store import VolumeStore

LOG = logging.getLogger(__name__)

#: Seconds that a guest gets to let go of a volume before the operation ends; it may still do so later.
PATIENCE = 10.0


class Attachments:
    """The volumes of servers on one host."""

    def __init__(self, database: Database, driver: Driver, store: VolumeStore, disks: ServerDisks) -> None:
        self._database, self._driver, self._store, self._disks = database, driver, store, disks

    def make(self, instance: objects.Instance) -> None:
        """The files of volumes that came to be with the server.

        :raises DriverError: one cannot be made.
        """
        with self._database.read() as connection:
            wanted = [volume for _, volume in volumes_of(connection, instance.uuid) if volume.status == "creating"]
        for volume in wanted:
            try:
                self._store.make(volume)
            except exceptions.Invalid as error:
                raise DriverError(str(error)) from error

    def write_anew(self, volume_id: str) -> None:
        """Let a volume hold what its image does, and nothing else. No machine may have it.

        :raises DriverError: it cannot be written.
        """
        with self._database.read() as connection:
            volume = db_volumes.get(connection, volume_id)
        if volume is None:
            raise DriverError("The server's root volume is no longer there.")
        try:
            self._store.make(volume, anew=True)
        except exceptions.Invalid as error:
            raise DriverError(str(error)) from error

    def attach(self, instance: objects.Instance, operation: objects.Operation) -> None:
        """Plug it in, where a machine runs."""
        device = self._find(operation, "attaching")
        if device is not None:
            self._driver.attach_disk(instance.uuid, self._disks.of_volume(device))

    def detach(self, instance: objects.Instance, operation: objects.Operation) -> None:
        """Ask the guest for it, and wait a while."""
        device = self._find(operation, "detaching")
        if device is None:
            return
        name = device.device_name.removeprefix("/dev/")
        if not self._driver.detach_disk(instance.uuid, name, PATIENCE):
            LOG.info(
                "Server %s has not let go of volume %s yet; the latter is free once the server is stopped or reset",
                instance.uuid,
                device.volume_id,
            )

    def _find(self, operation: objects.Operation, status: str) -> objects.BlockDevice | None:
        """What the operation is about, unless that is over already."""
        with self._database.read() as connection:
            for device, volume in volumes_of(connection, operation.instance_uuid):
                if volume.uuid == operation.args["volume_id"] and volume.status == status:
                    return device
        return None

    def settle(self, instance_uuid: str) -> None:
        """Free the volumes that were to be detached and that no machine has any more; ask for the others.

        :raises DriverError: the machine does not answer.
        """
        with self._database.read() as connection:
            leaving = [d for d, volume in volumes_of(connection, instance_uuid) if volume.status == "detaching"]
        if not leaving:
            return
        for device in leaving:
            if self._driver.detach_disk(instance_uuid, device.device_name.removeprefix("/dev/"), 0):
                self._free(device)

    def _free(self, device: objects.BlockDevice) -> None:
        assert device.volume_id is not None
        with self._database.write() as connection:
            volume = db_volumes.get(connection, device.volume_id, for_update=True)
            if volume is not None and volume.status == "detaching":
                db_block_devices.delete(connection, device.uuid)
                db_volumes.update(connection, device.volume_id, status="available")

    def purge(self) -> None:
        """Delete volumes that went with their servers. Raises OSError."""
        self._store.purge()


def came(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    """How an attachment ended: in use, or on its way back (a part of it may have happened)."""
    volume = db_volumes.get(connection, str(operation.args["volume_id"]), for_update=True)
    if volume is not None and volume.status == "attaching":
        db_volumes.update(connection, volume.uuid, status="in-use" if succeeded else "detaching")


def started(connection: Connection, operation: objects.Operation, succeeded: bool) -> None:
    """The server has come up: volumes that were made or taken for it are in use. If it has not, they go with it."""
    for _device, volume in volumes_of(connection, operation.instance_uuid):
        if succeeded and volume.status in ("creating", "attaching"):
            db_volumes.update(connection, volume.uuid, status="in-use")


def volumes_of(connection: Connection, instance_uuid: str) -> list[tuple[objects.BlockDevice, objects.Volume]]:
    """The volumes of a server, each with its place in it."""
    devices = db_block_devices.of_servers(connection, [instance_uuid]).get(instance_uuid, [])
    pairs = [(one, db_volumes.get(connection, one.volume_id)) for one in devices if one.volume_id is not None]
    return [(device, volume) for device, volume in pairs if volume is not None]
