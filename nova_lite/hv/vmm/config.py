"""VmConfig: what a machine shall be, checked against the schemas and brought into one form."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema_rs

import nova_lite
from nova_lite.hv.native.hardware import ORDINARY, Memory, Topology
from nova_lite.hv.vmm import devices
from nova_lite.hv.vmm.errors import ConfigError
from nova_lite.hv.vmm.kernel_file import PVH, memory_areas

SCHEMAS: dict[str, Any] = json.loads((Path(nova_lite.__file__).parent / "schemas/vmm/vmm.json").read_text())
DEFS: dict[str, Any] = SCHEMAS["$defs"]
_VALIDATOR = jsonschema_rs.validator_for(SCHEMAS | {"$ref": "#/$defs/VmConfig"})
_COREDUMP_VALIDATOR = jsonschema_rs.validator_for(SCHEMAS | {"$ref": "#/$defs/VmCoredumpData"})
_RESIZE_VALIDATOR = jsonschema_rs.validator_for(SCHEMAS | {"$ref": "#/$defs/VmResize"})

DEFAULT_CONSOLE_LOG_SIZE = 131072
DEFAULT_MEMORY_SIZE = 512 << 20
_DEFAULT_HUGE_PAGE = 2 << 20
_DEFAULT_DEBUG_PORT = 0xE9
#: The highest that one byte can name; 255 are all.
_MAX_APIC_ID = 254


@dataclass(frozen=True)
class VmConfig:
    """One machine. Sizes in bytes; ``document`` is the normal form that vm.info shows.

    ``debug_console_port``: None where there is no debug console.
    """

    boot_vcpus: int
    memory_size: int
    kernel: Path
    kernel_format: str | None
    cmdline: str
    initramfs: Path | None
    serial_mode: str
    serial_path: Path | None
    console_log: Path | None
    console_log_size: int
    console_mode: str
    console_path: Path | None
    pvpanic: bool
    watchdog: bool
    document: dict[str, Any]
    memory: Memory = ORDINARY
    topology: Topology | None = None
    max_phys_bits: int = 0
    debug_console_port: int | None = None
    debug_console_mode: str = "Off"
    debug_console_path: Path | None = None


def parse(document: object, with_descriptors: bool = False, own_names: bool = False) -> VmConfig:
    """Check a VmConfig document and read it.

    ``with_descriptors``: the numbers that it names are open descriptors of this process, made for it. ``own_names``: it
    may have the names that we give to devices which come without one.

    :raises ConfigError: with one sentence per fault, each naming its key.
    """
    checked = _without_own_names(document) if own_names else document
    if not _VALIDATOR.is_valid(checked):
        raise ConfigError(*(sentence(error) for error in _VALIDATOR.iter_errors(checked)))
    assert isinstance(document, dict)
    for index, card in enumerate(() if with_descriptors else document.get("net", ())):
        if "fds" in card:
            raise ConfigError(f"net.{index}.fds: descriptors come from who starts the VMM, not in a document")
    cpus = document.get("cpus", {"boot_vcpus": 1})
    boot_vcpus = int(cpus["boot_vcpus"])
    max_vcpus = int(cpus.get("max_vcpus", boot_vcpus))
    if max_vcpus < boot_vcpus:
        raise ConfigError(f"cpus.max_vcpus: {max_vcpus} is less than boot_vcpus ({boot_vcpus})")
    memory = {"size": DEFAULT_MEMORY_SIZE} | document.get("memory", {})
    memory_size = int(memory["size"])
    top = sum(memory_areas(memory_size)[-1])
    if top > 1 << int(cpus.get("max_phys_bits", 64)):
        raise ConfigError(f"cpus.max_phys_bits: memory reaches up to {top:#x}, which needs more bits")
    payload = _payload(document)
    serial = document.get("serial", {"mode": "Null"})
    debug = document.get("debug_console", {"mode": "Off"})
    taken = [key for key, line in (("serial", serial), ("debug_console", debug)) if line["mode"] == "Tty"]
    # As in Cloud Hypervisor, where the terminal would have to be freed by hand.
    console = document.get("console", {"mode": "Off" if taken else "Tty"})
    if len(taken) > 1 or (taken and console["mode"] == "Tty"):
        second = taken[1] if len(taken) > 1 else "console"
        raise ConfigError(f"{second}.mode: there is one terminal, and {taken[0]} has it")
    log = document.get("console_log")
    normal: dict[str, Any] = {
        "cpus": cpus | {"boot_vcpus": boot_vcpus, "max_vcpus": max_vcpus},
        "memory": memory | {"size": memory_size},
        "payload": payload,
        "serial": serial,
        "console": console,
    }
    log_size = DEFAULT_CONSOLE_LOG_SIZE
    if log is not None:
        log_size = int(log.get("size", DEFAULT_CONSOLE_LOG_SIZE))
        normal["console_log"] = {"file": log["file"], "size": log_size}
    for key in ("pvpanic", "watchdog"):
        if key in document:
            normal[key] = document[key]
    if "platform" in document:
        normal["platform"] = _platform(document["platform"])
    if debug["mode"] != "Off":
        normal["debug_console"] = {"iobase": _DEFAULT_DEBUG_PORT} | debug
    normal |= devices.normal(document)
    return VmConfig(
        boot_vcpus=boot_vcpus,
        memory_size=memory_size,
        kernel=_path("payload.kernel", payload["kernel"])
        if "kernel" in payload
        else _path("payload.firmware", payload["firmware"]),
        kernel_format=payload.get("format") if "kernel" in payload else PVH,
        cmdline=payload.get("cmdline", ""),
        initramfs=_path("payload.initramfs", payload["initramfs"]) if "initramfs" in payload else None,
        serial_mode=serial["mode"],
        serial_path=_far_end("serial", serial),
        console_mode=console["mode"],
        console_path=_far_end("console", console),
        console_log=_path("console_log.file", log["file"]) if log is not None else None,
        console_log_size=log_size,
        pvpanic=document.get("pvpanic", False),
        watchdog=document.get("watchdog", False),
        document=normal,
        memory=_memory(memory) if len(memory) > 1 else ORDINARY,
        topology=_topology(cpus["topology"], max_vcpus) if "topology" in cpus else None,
        max_phys_bits=int(cpus.get("max_phys_bits", 0)),
        debug_console_port=int(normal["debug_console"]["iobase"]) if "debug_console" in normal else None,
        debug_console_mode=debug["mode"],
        debug_console_path=_far_end("debug_console", debug),
    )


def _without_own_names(document: object) -> object:
    """A copy in which no device has a name of ours (``_disk0``), which the schema keeps from everybody else."""
    if isinstance(document, list):
        return [_without_own_names(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {
        key: _without_own_names(value)
        for key, value in document.items()
        if key != "id" or not isinstance(value, str) or not value.startswith("_")
    }


def parse_coredump(document: object) -> Path:
    """Check a VmCoredumpData document; the file that it names.

    :raises ConfigError: with one sentence per fault.
    """
    _check(_COREDUMP_VALIDATOR, document)
    assert isinstance(document, dict)
    return _path("destination_url", document["destination_url"].removeprefix("file://"))


def parse_resize(document: object) -> dict[str, int]:
    """Check a VmResize document; what it wants.

    :raises ConfigError: with one sentence per fault.
    """
    _check(_RESIZE_VALIDATOR, document)
    assert isinstance(document, dict)
    return {key: int(value) for key, value in document.items()}


def _check(validator: Any, document: object) -> None:
    faults = [f"{'.'.join(map(str, e.instance_path)) or 'body'}: {e.message}" for e in validator.iter_errors(document)]
    if faults:
        raise ConfigError(*faults)


def _topology(given: dict[str, int], vcpus: int) -> Topology:
    given = {key: int(value) for key, value in given.items()}
    topology = Topology(**given)
    count = topology.threads_per_core * topology.cores_per_die * topology.dies_per_package * topology.packages
    if count != vcpus:
        raise ConfigError(f"cpus.topology: has {count} virtual CPUs, max_vcpus is {vcpus}")
    shift = sum((given[key] - 1).bit_length() for key in ("threads_per_core", "cores_per_die", "dies_per_package"))
    if topology.packages << shift > _MAX_APIC_ID + 1:
        raise ConfigError(f"cpus.topology: needs APIC ids above {_MAX_APIC_ID}, as every level has bits of its own")
    return topology


def _memory(given: dict[str, Any]) -> Memory:
    if "hugepage_size" in given and not given.get("hugepages"):
        raise ConfigError("memory.hugepage_size: needs hugepages")
    page = int(given.get("hugepage_size", _DEFAULT_HUGE_PAGE)) if given.get("hugepages") else 0
    if page and given["size"] % page:
        raise ConfigError(f"memory.size: is not a multiple of the huge pages' {page} bytes")
    own = ("size", "hugepages", "hugepage_size")
    return Memory(page, **{key: value for key, value in given.items() if key not in own})


_OLDER_NAMES = {"system_uuid": "uuid", "system_serial_number": "serial_number"}


def _platform(given: dict[str, str]) -> dict[str, str]:
    """Under the older of each two names."""
    for name in ("uuid", "serial_number"):
        if name in given and f"system_{name}" in given:
            raise ConfigError(f"platform.system_{name}: is another name of platform.{name}; use one of them")
    return {_OLDER_NAMES.get(name, name): value for name, value in given.items()}


def _payload(document: dict[str, Any]) -> dict[str, str]:
    """``payload``, or the older ``kernel``, ``cmdline`` and ``initramfs`` objects brought into its form."""
    older = [key for key in ("kernel", "cmdline", "initramfs") if key in document]
    if "payload" in document:
        if older:
            raise ConfigError(f"{older[0]}: cannot stand beside payload; use payload.{older[0]}")
        payload = dict(document["payload"])
        if "firmware" in payload and len(payload) > 1:
            other = next(key for key in payload if key != "firmware")
            raise ConfigError(f"payload.{other}: cannot stand beside payload.firmware, which finds what it boots")
        if not {"kernel", "firmware"} & payload.keys():
            raise ConfigError("payload.kernel: is missing, and payload.firmware is too")
    elif "kernel" in document:
        payload = {"kernel": document["kernel"]["path"]}
        if "cmdline" in document:
            payload["cmdline"] = document["cmdline"]["args"]
        if "initramfs" in document:
            payload["initramfs"] = document["initramfs"]["path"]
    else:
        raise ConfigError("payload: is missing; it names the kernel to boot")
    if "\0" in payload.get("cmdline", ""):
        raise ConfigError("payload.cmdline: must not contain a NUL character")
    return payload


def _far_end(key: str, line: dict[str, Any]) -> Path | None:
    """The file or socket of a character device, if its mode has one."""
    kind = line["mode"].lower()
    return _path(f"{key}.{kind}", line.get(kind)) if kind in ("file", "socket") else None


def _path(key: str, value: str | None) -> Path:
    if value is None:
        raise ConfigError(f"{key}: is missing; {key.partition('.')[0]}.mode needs it")
    if "\0" in value:
        raise ConfigError(f"{key}: must not contain a NUL character")
    if not value.startswith("/"):
        raise ConfigError(f"{key}: {value!r} is not an absolute path")
    return Path(value)


def sentence(error: jsonschema_rs.ValidationError, root: str = "VmConfig") -> str:
    """A fault found by the schema ``root`` as ``key: what is wrong``."""
    where = ".".join(str(part) for part in error.instance_path)
    kind = error.kind
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
        known = _definition(error.instance_path, root)
        prefix = where + "." if where else ""
        return "; ".join(
            f"{prefix}{name}: is not supported yet"
            if name in known.get("ext:not_supported", ())
            else f"{prefix}{name}: unknown key; known here: {', '.join(known['properties'])}"
            for name in kind.unexpected
        )
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        return f"{where + '.' if where else ''}{kind.property}: is missing"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Enum):
        return f"{where}: {error.instance!r} is not one of {', '.join(map(str, kind.options))}"
    return f"{where or 'body'}: {error.message}"


def _definition(instance_path: list[str | int], root: str) -> dict[str, Any]:
    """The schema of the object that lies at this place of a document."""
    node = DEFS[root]
    for part in instance_path:
        node = node["items"] if isinstance(part, int) else node["properties"][part]
        if "$ref" in node:
            node = DEFS[node["$ref"].rsplit("/", 1)[1]]
    return node
