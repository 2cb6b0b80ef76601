"""Devices that come to a machine and go from it: vm.add-disk, vm.add-net, vm.add-vsock, vm.remove-device.

They change the machine's configuration; a machine that is on is changed as well, through its guest: a device is put
into a slot and ACPI tells; one is taken away only when the guest has let go of it, or at the next start at the latest.
Imported when the first device comes or goes.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import jsonschema_rs

from nova_lite.hv.native.machine import Machine, MachineError, MachineStateError
from nova_lite.hv.vmm import config, devices
from nova_lite.hv.vmm.errors import ConfigError, VmmError

LOG = logging.getLogger(__name__)

_LISTS = {"DiskConfig": "disks", "NetConfig": "net"}
_FIXED = ("__rng", "__balloon", "__console")


def parse(name: str, document: object) -> Any:
    """Check a document that goes in; ``name``: its schema.

    :raises ConfigError: with one sentence per fault.
    """
    validator = jsonschema_rs.validator_for(config.SCHEMAS | {"$ref": f"#/$defs/{name}"})
    faults = [config.sentence(error, name) for error in validator.iter_errors(document)]
    if faults:
        raise ConfigError(*faults)
    assert isinstance(document, dict)
    if "fds" in document:
        raise ConfigError("fds: descriptors come from who starts the VMM, not in a document")
    return document


class Hotplug:
    """Of one machine. Every method gives the configuration that holds afterwards.

    ``emit(event, initiator, detail)`` publishes events; ``removing``: devices that the guest was asked to let go of.
    """

    def __init__(self, emit: Callable[[str, str, str], None]) -> None:
        self._emit = emit
        self.removing: list[str] = []

    def add(
        self, given: config.VmConfig, machine: Machine | None, kind: str, device: dict[str, Any]
    ) -> tuple[config.VmConfig, dict[str, str] | None]:
        """One device more, of the schema ``kind``; ``machine``: the one that is on. Its PciDeviceInfo as well.

        :raises VmmError: it cannot stand beside the others; a file, a tap or a slot cannot be had.
        """
        changed, device = _with(given, kind, device)
        answer = None if machine is None else _plug(machine, kind, device)
        self._emit("device_added", "api", device["id"])
        return changed, answer

    def remove(self, given: config.VmConfig, machine: Machine | None, name: str) -> config.VmConfig:
        """Ask the guest of a machine that is on; may be repeated.

        :raises VmmError: there is no such device, or it belongs to the machine for good.
        """
        if name in _FIXED:
            raise VmmError(400, "The device cannot be removed", f"{name} belongs to the machine for good")
        known = [device["id"] for device in _known(given.document)]
        if name not in known:
            raise VmmError(404, "There is no such device", f"id: {name!r}; there are {', '.join(known) or 'none'}")
        if machine is None:
            return self._without(given, [name], "api")
        try:
            machine.request_removal(machine.slots()[name])
        except MachineError as error:  # the guest has just ended
            raise VmmError(405, "The guest cannot be asked for the device", str(error)) from error
        self.removing += [name] if name not in self.removing else []
        return given

    def take_ejected(self, given: config.VmConfig, machine: Machine) -> config.VmConfig:
        """What the guest has let go of; of a paused machine nothing yet."""
        if machine.state != "running":
            return given
        found = set(machine.ejected())
        return self._without(
            given, self._take(machine, {n: s for n, s in machine.slots().items() if s in found}), "guest"
        )

    def take_rest(self, given: config.VmConfig, machine: Machine | None) -> config.VmConfig:
        """What it was asked for: nobody uses it now, the machine has been reset (None: it is gone)."""
        if not self.removing:
            return given
        slots = {} if machine is None else machine.slots()
        names = self.removing if machine is None else self._take(machine, {name: slots[name] for name in self.removing})
        return self._without(given, names, "api")

    @staticmethod
    def _take(machine: Machine, slots: dict[str, int]) -> list[str]:
        gone = []
        for name, slot in slots.items():
            try:
                machine.remove(slot)
            except MachineStateError:  # the guest has just ended, and all of them end with it
                continue
            except MachineError as error:
                LOG.error("The device %s cannot be removed: %s", name, error)
                continue
            gone.append(name)
        return gone

    def _without(self, given: config.VmConfig, names: list[str], initiator: str) -> config.VmConfig:
        document = dict(given.document)
        for key in ("disks", "net"):
            left = [device for device in document.pop(key, ()) if device["id"] not in names]
            if left:
                document[key] = left
        if "vsock" in document and document["vsock"]["id"] in names:
            del document["vsock"]
        self.removing = [name for name in self.removing if name not in names]
        for name in names:
            self._emit("device_removed", initiator, name)
        return dataclasses.replace(given, document=document)


def _with(given: config.VmConfig, kind: str, device: dict[str, Any]) -> tuple[config.VmConfig, dict[str, Any]]:
    """The configuration with one device more, and that device's normal form."""
    key = _LISTS.get(kind, "vsock")
    others = given.document.get(key, [])
    taken = {known["id"] for known in _known(given.document)}
    if kind == "VsockConfig":
        if others:
            raise ConfigError("vsock: the machine has one already, and there can be no other")
        device = devices.normal({"vsock": device})["vsock"]
    else:
        most = config.DEFS["VmConfig"]["properties"][key]["maxItems"]
        if len(others) >= most:
            raise ConfigError(f"{key}: the machine has {most} of them, and there can be no more")
        prefix = "_disk" if key == "disks" else "_net"
        name = next(name for name in (f"{prefix}{number}" for number in range(most + 1)) if name not in taken)
        groups = given.document.get("rate_limit_groups", ())
        device = devices.normal({key: [{"id": name, **device}], "rate_limit_groups": groups})[key][0]
    if device["id"] in taken:
        raise ConfigError(f"id: {device['id']!r} is another device's")
    value = device if kind == "VsockConfig" else [*others, device]
    return dataclasses.replace(given, document={**given.document, key: value}), device


def _plug(machine: Machine, kind: str, device: dict[str, Any]) -> dict[str, str]:
    key = _LISTS.get(kind, "vsock")
    try:
        devices.add_all(machine, {key: device if key == "vsock" else [device]})
    except VmmError as error:
        faults = (part.removeprefix(f"{key}.0.") for part in error.chain[1:])
        raise VmmError(error.status, error.chain[0], *faults) from error
    except MachineStateError as error:
        raise VmmError(405, "The device cannot be added", str(error)) from error
    except MachineError as error:
        raise VmmError(400, "The device cannot be added", str(error)) from error
    return {"id": device["id"], "bdf": f"0000:00:{machine.slots()[device['id']]:02x}.0"}


def _known(document: dict[str, Any]) -> list[dict[str, Any]]:
    vsock = [document["vsock"]] if "vsock" in document else []
    return [*document.get("disks", ()), *document.get("net", ()), *vsock]
