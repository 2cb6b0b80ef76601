"""The kvm driver's part that changes what a VM is made of: disks and cards that come and go, disks while it is off."""

from __future__ import annotations

import abc
import base64
import contextlib
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

from nova_lite.hv import device_hotplug, resized_disks, server_disks
from nova_lite.hv.driver import DiskSpec, Driver, DriverError, MachineSpec, NicSpec
from nova_lite.hv.vmm.client import VmmRefused, VmmUnreachable
from nova_lite.hv.vmm_process import VmmProcess
from nova_lite.paths import Paths

LOG = logging.getLogger(__name__)

#: Seconds a VMM may take to answer.
ANSWER = 10.0


class DeviceVerbs(Driver):
    """Verbs on the devices of a VM; what a VM is, the rest of the driver knows."""

    _paths: Paths

    @abc.abstractmethod
    def _verb(self, uuid: str) -> AbstractContextManager[None]: ...

    @abc.abstractmethod
    def _off(self, uuid: str) -> AbstractContextManager[None]: ...

    @abc.abstractmethod
    def _current(self, uuid: str) -> VmmProcess | None: ...

    @abc.abstractmethod
    def _request(self, uuid: str, method: str, name: str, body: object = None, timeout: float = ANSWER) -> Any: ...

    def attach_disk(self, uuid: str, disk: DiskSpec) -> None:
        with self._verb(uuid):
            if self._current(uuid) is None:
                return
            server_disks.check(disk)
            with said(uuid):
                device_hotplug.attach_disk(self._paths.vmm_socket(uuid), disk)

    def detach_disk(self, uuid: str, device_name: str, seconds: float) -> bool:
        return self._detach(uuid, device_name, seconds)

    def attach_nic(self, uuid: str, nic: NicSpec) -> bool:
        with self._verb(uuid):
            if self._current(uuid) is None:
                return False
            with said(uuid):
                return device_hotplug.attach_nic(self._paths.vmm_socket(uuid), nic)

    def detach_nic(self, uuid: str, nic_id: str, seconds: float) -> bool:
        return self._detach(uuid, nic_id, seconds)

    def _detach(self, uuid: str, name: str, seconds: float) -> bool:
        with self._verb(uuid):
            if self._current(uuid) is None:
                return True
        with said(uuid):  # others may ask for the VM while its guest takes its time
            return device_hotplug.detach(self._paths.vmm_socket(uuid), name, seconds)

    def log_disk(self, uuid: str, device_name: str, on: bool) -> int:
        action = "start" if on else "stop"
        answer = self._request(uuid, "PUT", "vm.disk-log", {"id": device_name, "action": action})
        return int(answer.get("part_size", 0))

    def written_parts(self, uuid: str, device_name: str) -> bytes:
        answer = self._request(uuid, "PUT", "vm.disk-log", {"id": device_name, "action": "take"})
        return base64.b64decode(answer["parts"])

    def remove_disk(self, uuid: str, disk: DiskSpec) -> None:
        with self._off(uuid):
            server_disks.remove(disk)

    def resize_disks(self, spec: MachineSpec) -> None:
        with self._off(spec.uuid):
            resized_disks.resize(self._paths.disks(spec.uuid), spec.disks)

    def restore_disks(self, uuid: str) -> None:
        with self._off(uuid):
            resized_disks.restore(self._paths.disks(uuid))

    def forget_disks(self, uuid: str) -> None:
        with self._verb(uuid):
            resized_disks.forget(self._paths.disks(uuid))


@contextlib.contextmanager
def said(uuid: str) -> Iterator[None]:
    """What a VMM refuses or does not answer, as a DriverError."""
    try:
        yield
    except VmmRefused as error:
        raise DriverError(f"{error}.") from error
    except VmmUnreachable as error:
        LOG.warning("VM %s: %s", uuid, error)
        raise DriverError("The VM's process does not answer.") from error
