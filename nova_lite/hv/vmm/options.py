"""The command line of nova-lite-vmm: Cloud Hypervisor's forms, turned into a VmConfig document."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import nova_lite
from nova_lite.hv.vmm import config
from nova_lite.hv.vmm.http_api import BASE, ENDPOINTS

_UNITS = {"K": 10, "M": 20, "G": 30, "T": 40}

_DESCRIPTION = """\
Run one virtual machine on KVM and serve a REST API for it on a UNIX socket.
Without --kernel only the API is started; the machine then comes by PUT vm.create."""


def _describe(name: str, *path: str) -> str:
    """The description of a schema, or of a property of it."""
    node = config.DEFS[name]
    for key in path:
        node = node["properties"][key]
    return str(node["description"])


def _epilog() -> str:
    width = max(map(len, ENDPOINTS))
    paths = "\n".join(f"  {e.method} {name:{width}}  {e.summary}" for name, e in ENDPOINTS.items())
    return f"""\
paths below http://localhost{BASE}:
{paths}

for example:
  nova-lite-vmm --api-socket /tmp/vmm.sock --kernel /path/to/interactive.elf --memory 64M --serial tty
  curl --unix-socket /tmp/vmm.sock http://localhost{BASE}vm.info
  curl --unix-socket /tmp/vmm.sock -X PUT http://localhost{BASE}vm.pause

With --serial tty every key goes to the guest: Ctrl-A x ends the VMM, Ctrl-A Ctrl-A sends one Ctrl-A.
--openapi shows every document that goes in and out. SIGTERM and SIGINT end the VMM in good order."""


def parser() -> argparse.ArgumentParser:
    """All options; help texts of machine options come from the schemas."""
    result = argparse.ArgumentParser(
        prog="nova-lite-vmm",
        description=_DESCRIPTION,
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    result.add_argument("-V", "--version", action="version", version=f"nova-lite-vmm {nova_lite.__version__}")
    result.add_argument(
        "--api-socket",
        metavar="PATH",
        type=_socket_path,
        help="UNIX socket of the REST API, with a lock file beside it; /run/user/<uid>/nova-lite-vmm.<pid> when absent",
    )
    result.add_argument("--openapi", action="store_true", help="print the OpenAPI document of the REST API and leave")
    result.add_argument("-v", "--verbose", action="count", default=0, help="say more on standard error; twice: all")
    result.add_argument(
        "--exit-on-shutdown",
        action="store_true",
        help="end the VMM when the guest powers itself off or crashes; otherwise it stays and serves its API",
    )
    machine = result.add_argument_group("machine", "Boot it at once. Sizes may end in K, M, G or T.")
    machine.add_argument("--kernel", metavar="PATH", help=_describe("PayloadConfig", "kernel"))
    machine.add_argument("--cmdline", metavar="TEXT", help=_describe("PayloadConfig", "cmdline"))
    machine.add_argument("--initramfs", metavar="PATH", help=_describe("PayloadConfig", "initramfs"))
    machine.add_argument(
        "--cpus",
        metavar="boot=N[,max=N]|N",
        type=lambda text: _fields(text, {"boot": "boot_vcpus", "max": "max_vcpus"}, "boot", _number),
        help=f"{_describe('CpusConfig', 'boot_vcpus')} 1 when absent. max: {_describe('CpusConfig', 'max_vcpus')}",
    )
    machine.add_argument(
        "--memory",
        metavar="size=BYTES|BYTES",
        type=lambda text: _fields(text, {"size": "size"}, "size", _size),
        help=f"{_describe('MemoryConfig', 'size')} {config.DEFAULT_MEMORY_SIZE >> 20}M when absent.",
    )
    machine.add_argument(
        "--serial",
        metavar="off|null|tty|file=PATH|socket=PATH",
        type=_serial,
        help=f"{_describe('SerialConfig')} {_describe('SerialConfig', 'mode')} null when absent.",
    )
    machine.add_argument(
        "--console-log",
        metavar="file=PATH[,size=BYTES]",
        type=_console_log,
        help=f"{_describe('ConsoleLogConfig')} size: {_describe('ConsoleLogConfig', 'size')}",
    )
    machine.add_argument(
        "--platform",
        metavar="uuid=UUID",
        type=lambda text: _fields(text, {"uuid": "uuid"}, "uuid", str),
        help=_describe("PlatformConfig", "uuid"),
    )
    machine.add_argument("--pvpanic", action="store_true", default=None, help=_describe("VmConfig", "pvpanic"))
    return result


def vm_config(options: argparse.Namespace) -> config.VmConfig | None:
    """The machine that the options describe; None when they describe none.

    :raises ConfigError: the machine is impossible.
    :raises argparse.ArgumentTypeError: options of a machine without --kernel.
    """
    parts = {
        name: value
        for name in ("cpus", "memory", "serial", "console_log", "platform", "pvpanic")
        if (value := getattr(options, name)) is not None
    }
    if options.kernel is None:
        given = [name for name in ("cmdline", "initramfs") if getattr(options, name) is not None] + list(parts)
        if given:
            raise argparse.ArgumentTypeError(f"--{given[0].replace('_', '-')} needs --kernel")
        return None
    payload = {"kernel": str(Path(options.kernel).absolute())}
    if options.cmdline is not None:
        payload["cmdline"] = options.cmdline
    if options.initramfs is not None:
        payload["initramfs"] = str(Path(options.initramfs).absolute())
    return config.parse({"payload": payload} | parts)


def _socket_path(text: str) -> Path:
    path = text.removeprefix("path=")
    if not path or "\0" in path:
        raise argparse.ArgumentTypeError("a path is needed")
    return Path(path).absolute()


def _fields(text: str, names: dict[str, str], alone: str, convert: Any) -> dict[str, Any]:
    """``name=value,name=value``, or one value alone, as a document with the schema's names."""
    found = {}
    for part in text.split(","):
        name, separator, value = part.partition("=")
        if not separator and text == part:
            name, value = alone, part
        if name not in names or names[name] in found or not value:
            known = ",".join(f"{known}=…" for known in names)
            raise argparse.ArgumentTypeError(f"{part!r} does not fit; the form is {known}")
        found[names[name]] = convert(value)
    return found


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _size(text: str) -> int:
    unit = _UNITS.get(text[-1:].upper(), 0)
    return _number(text[:-1] if unit else text) << unit


def _serial(text: str) -> dict[str, str]:
    kind, separator, path = text.partition("=")
    modes = {mode.lower(): mode for mode in config.DEFS["SerialConfig"]["properties"]["mode"]["enum"]}
    with_path = kind in ("file", "socket")
    if kind not in modes or with_path != bool(path) or (separator and not with_path):
        raise argparse.ArgumentTypeError(f"{text!r} does not fit; use off, null, tty, file=PATH or socket=PATH")
    document = {"mode": modes[kind]}
    if with_path:
        document[kind] = str(Path(path).absolute())
    return document


def _console_log(text: str) -> dict[str, Any]:
    document = _fields(text, {"file": "file", "size": "size"}, "file", str)
    if "file" not in document:
        raise argparse.ArgumentTypeError("file=PATH is missing")
    document["file"] = str(Path(document["file"]).absolute())
    if "size" in document:
        document["size"] = _size(document["size"])
    return document
