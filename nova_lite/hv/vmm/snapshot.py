"""A machine in a folder: vm.snapshot writes it, vm.restore goes on from it. Few VMs need this module, and late.

``config.json`` is the VmConfig with every default; ``machine.json`` says where each device sat; ``state.bin`` holds
vCPUs, interrupt controllers and devices in the native layer's form; ``memory`` the guest's, with holes for zeroes. The
disks are not in it: they are where the configuration says, and must be as they were.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema_rs
import orjson

from nova_lite.hv.native.machine import Machine
from nova_lite.hv.vmm import config
from nova_lite.hv.vmm.config import DEFS, VmConfig
from nova_lite.hv.vmm.errors import ConfigError, VmmError

CONFIG, MACHINE, STATE, MEMORY = "config.json", "machine.json", "state.bin", "memory"
VERSION = 1
_MAX_STATE = 64 << 20


def parse(name: str, document: object) -> dict[str, Any]:
    """Check a VmSnapshotConfig or a RestoreConfig; its keys, the URL as the path of a folder.

    :raises ConfigError: with one sentence per fault.
    """
    validator = jsonschema_rs.validator_for({"$ref": f"#/$defs/{name}", "$defs": DEFS})
    faults = sorted(config.sentence(error, name) for error in validator.iter_errors(document))
    if faults:
        raise ConfigError("; ".join(faults))
    assert isinstance(document, dict)
    found = dict(document)
    for key in ("destination_url", "source_url"):
        if key in found:
            path = found.pop(key).removeprefix("file://")
            if "\0" in path or not path.startswith("/"):
                raise ConfigError(f"{key}: {path!r} is not an absolute path")
            found["folder"] = Path(path)
    return found


def write(machine: Machine, document: dict[str, Any], operating_system: bool, folder: Path) -> None:
    """Save a paused machine into ``folder``, which must not exist yet; whole or not at all.

    :raises OSError: it exists, or cannot be written.
    :raises MachineError: the state cannot be read.
    """
    if folder.exists():
        raise FileExistsError(17, "there is such a file or folder already", str(folder))
    draft = folder.with_name(folder.name + ".part")
    shutil.rmtree(draft, ignore_errors=True)  # what a VMM that was killed left
    draft.mkdir(mode=0o700)
    try:
        about = {"version": VERSION, "slots": machine.slots(), "operating_system": operating_system}
        _write(draft / CONFIG, orjson.dumps(document))
        _write(draft / MACHINE, orjson.dumps(about))
        _write(draft / STATE, machine.save())
        with _new(draft / MEMORY) as fd:
            os.truncate(fd, machine.memory_size)
            machine.dump_memory(fd, 0)
            os.fsync(fd)
        _sync(draft)
        draft.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


class Saved:
    """What ``write`` left. Raises VmmError 400 when the folder is none of its."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        about = self._read(MACHINE)
        if not isinstance(about, dict) or about.get("version") != VERSION:
            raise self._fault("it was made by another version")
        self.slots: dict[str, int] = about["slots"]
        self.operating_system = bool(about["operating_system"])

    def config(self) -> VmConfig:
        """The configuration as it was.

        :raises ConfigError: it is none any more; or it has taps that came as descriptors, which only the service can
            hand over.
        """
        return config.parse(self._read(CONFIG), own_names=True)

    def load(self, machine: Machine) -> None:
        """Fill memory, then vCPUs and devices.

        :raises MachineError: they do not fit.
        :raises OSError: a file cannot be read.
        """
        path = self.folder / MEMORY
        if path.stat().st_size != machine.memory_size or (self.folder / STATE).stat().st_size > _MAX_STATE:
            raise self._fault("memory or state have another size")
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            machine.load_memory(fd, 0)
        finally:
            os.close(fd)
        machine.restore((self.folder / STATE).read_bytes())

    def _read(self, name: str) -> Any:
        try:
            return orjson.loads((self.folder / name).read_bytes())
        except OSError as error:
            raise self._fault(f"{name}: {error.strerror}") from error
        except orjson.JSONDecodeError as error:
            raise self._fault(f"{name} is damaged") from error

    def _fault(self, reason: str) -> VmmError:
        return VmmError(400, f"{self.folder} holds no machine", reason)


@contextlib.contextmanager
def _new(path: Path):  # type: ignore[no-untyped-def]
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        yield fd
    finally:
        os.close(fd)


def _write(path: Path, data: bytes) -> None:
    with _new(path) as fd:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]
        os.fsync(fd)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
