"""The hypervisor of this host, spoken to in servers: what to run for each, started, asked to go down, looked at."""

from __future__ import annotations

import logging
from dataclasses import replace

from nova_lite import exceptions, objects
from nova_lite.compute import named_kernels, shutdown
from nova_lite.compute.attachments import Attachments
from nova_lite.compute.boot_files import Booting
from nova_lite.compute.config_drives import ConfigDrives
from nova_lite.compute.images import ImageStore
from nova_lite.compute.server_disks import ServerDisks
from nova_lite.compute.snapshot_files import Snapshots
from nova_lite.compute.wiring import Wiring
from nova_lite.db import images as db_images
from nova_lite.db import instances as db_instances
from nova_lite.db import operations as db_operations
from nova_lite.db.engine import Connection, Database
from nova_lite.hv.driver import Driver, DriverError, MachineInfo, MachineNotFound, MachineSpec, PowerState

LOG = logging.getLogger(__name__)


class Host:
    """The hypervisor of this host, spoken to in servers instead of machines."""

    def __init__(
        self,
        database: Database,
        driver: Driver,
        images: ImageStore,
        disks: ServerDisks,
        config_drives: ConfigDrives,
        booting: Booting,
        attachments: Attachments,
        wiring: Wiring,
        name: str,
        shutdown_timeout: int,
    ) -> None:
        self.database, self.driver, self.images, self.name = database, driver, images, name
        self.disks, self.config_drives, self.attachments = disks, config_drives, attachments
        self.booting, self.wiring = booting, wiring
        self.snapshots = Snapshots(database, driver, images)
        self.shutdowns, self._shutdown_timeout = shutdown.Shutdowns(), shutdown_timeout

    def reread(self, instance: objects.Instance) -> objects.Instance:
        """The server as it is now. DriverError when it is gone."""
        with self.database.read() as connection:
            current = db_instances.get(connection, instance.uuid)
        if current is None or current.deleted:
            raise DriverError("The server is deleted.")
        return current

    def spec(self, instance: objects.Instance) -> MachineSpec:
        """What to run for a server, without its network cards. DriverError when its image is no longer there."""
        with self.database.read() as connection:
            image = self._image(connection, instance)
            disks = self.disks.specs(connection, instance) + self.config_drives.specs(instance)
        files = self.booting.of_image(image)
        return MachineSpec(
            uuid=instance.uuid,
            name=instance.display_name,
            vcpus=instance.flavor.vcpus,
            memory_mb=instance.flavor.memory_mb,
            kernel=files.kernel,
            kernel_format=files.kernel_format,
            cmdline=files.cmdline,
            initramfs=files.initramfs,
            disks=disks,
        )

    def boots_from_disk(self, instance: objects.Instance) -> bool:
        """Whether what the server boots is read from its disk each time. DriverError as for ``spec``."""
        with self.database.read() as connection:
            return self._image(connection, instance).boots_from_disk

    def boot_spec(self, instance: objects.Instance) -> MachineSpec:
        """What to start for a server: its network cards connected, its config drive there, its disk looked into if it
        boots from that. DriverError as for ``spec``, and when these cannot be had.
        """
        self.config_drives.make(instance)
        spec = replace(self.spec(instance), nics=self.wiring.connect(instance, wait=False))
        with self.database.read() as connection:
            image = self._image(connection, instance)
        if not image.boots_from_disk:
            return spec
        found = self.info(instance.uuid)
        if found.power_state in (PowerState.RUNNING, PowerState.PAUSED):
            return spec  # started already: nobody boots with this
        if found.pid:  # its guest has ended, but its process still has the disk
            self.driver.power_off(instance.uuid)
        root = next((disk for disk in spec.disks if disk.boot_index == 0), None)
        files = self.booting.of_server(instance.uuid, image, root, spec.memory_mb)
        return replace(
            spec,
            kernel=files.kernel,
            kernel_format=files.kernel_format,
            cmdline=files.cmdline,
            initramfs=files.initramfs,
        )

    def _image(self, connection: Connection, instance: objects.Instance) -> objects.Image:
        image_id = self.disks.boot_image(connection, instance)
        if not image_id:
            return objects.NO_IMAGE
        image = db_images.get(connection, image_id)
        if image is None:
            raise DriverError(f"The image {image_id} of this server is no longer there.")
        return named_kernels.resolved(connection, self.images, image, instance.project_id)

    def bring_images(self, instance: objects.Instance) -> None:
        """Have the data of the images that the server boots and that its disks lie over on this host.

        :raises DriverError: it cannot be had, or is more than the disk can hold.
        """
        if self.images.elsewhere is None:
            return
        with self.database.read() as connection:
            devices = self.disks.over_images(connection, instance)
            boots = self.disks.boot_image(connection, instance)
        try:
            for image_id in dict.fromkeys([boots, *devices]):
                if image_id:
                    self.images.elsewhere.fetch(image_id)
        except exceptions.NovaLiteError as error:
            raise DriverError(str(error)) from error
        with self.database.read() as connection:
            for image_id, size in devices.items():
                image = db_images.get(connection, image_id)
                if image is not None and (image.virtual_size or 0) > size:
                    raise DriverError(
                        "Flavor's disk is too small for requested image. "
                        f"Flavor disk is {size} bytes, image is {image.virtual_size} bytes."
                    )

    def power_on(self, instance: objects.Instance) -> None:
        """Start a server's VM with all its cards. Raises DriverError."""
        self.driver.power_on(self.boot_spec(instance))
        self.wiring.started(instance)

    def info(self, uuid: str) -> MachineInfo:
        """The VM as it is; SHUTDOWN when there is none."""
        try:
            return self.driver.info(uuid)
        except MachineNotFound:
            return MachineInfo(uuid, PowerState.SHUTDOWN)

    def shut_down(self, instance: objects.Instance, spec: MachineSpec, operation: objects.Operation) -> bool:
        """Let the guest power itself off; False when it was not asked or did not in time. What it was doing is safe
        only if it did; its VM is to be ended in any case."""
        seconds = shutdown.timeout(spec, instance.image_properties, self._shutdown_timeout)
        if not seconds:
            return False
        try:
            ended = self.shutdowns.ask(self.driver, instance.uuid, seconds, lambda: not self.is_current(operation))
        except DriverError as error:
            LOG.info("Server %s cannot be asked to power itself off: %s", instance.uuid, error)
            return False
        if not ended:
            LOG.info("Server %s goes down without having powered itself off", instance.uuid)
        return ended

    def is_current(self, operation: objects.Operation) -> bool:
        """Whether the operation still runs; a delete ends what it finds."""
        with self.database.read() as connection:
            return db_operations.state_of(connection, operation.id) == "running"
