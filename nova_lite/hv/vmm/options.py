"""The command line of nova-lite-vmm: Cloud Hypervisor's forms, turned into a VmConfig document.

The options of a machine, their help and what their values may be come from the schema of VmConfig.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nova_lite
from nova_lite.hv.vmm import config, option_values
from nova_lite.hv.vmm.http_api import BASE, ENDPOINTS

_DESCRIPTION = """\
Run one virtual machine on KVM and serve a REST API for it on a UNIX socket.
Without --kernel or --firmware only the API is started; the machine then comes by PUT vm.create."""

#: The parts of a payload have options of their own; the older forms of it are for REST only.
_PAYLOAD = ("payload", "kernel", "cmdline", "initramfs")


def parser() -> argparse.ArgumentParser:
    """All options; those of a machine come from the schemas."""
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
    result.add_argument(
        "--completion",
        choices=("bash", "zsh", "fish"),
        help="print the script that makes this shell complete options, keys and values, and leave",
    )
    result.add_argument("-v", "--verbose", action="count", default=0, help="say more on standard error; twice: all")
    result.add_argument(
        "--exit-on-shutdown",
        action="store_true",
        help="end the VMM when the guest powers itself off or crashes; otherwise it stays and serves its API",
    )
    machine = result.add_argument_group(
        "machine", "Boot it at once. Sizes may end in K, M, G or T; keys without a value have their defaults."
    )
    for name, schema in option_values.resolved(config.DEFS["PayloadConfig"])["properties"].items():
        machine.add_argument(
            f"--{name}",
            metavar="|".join(schema["enum"]) if "enum" in schema else "TEXT" if name == "cmdline" else "PATH",
            help=_text(schema),
        )
    for option, name, schema, many in machine_options():
        _add(machine, option, name, schema, many)
    for owner in ("VmConfig", "PayloadConfig"):
        for name in config.DEFS[owner].get("ext:not_supported", ()):
            machine.add_argument(
                f"--{_option(name)}", nargs="*", action=_NotSupported, dest="not_supported", help=argparse.SUPPRESS
            )
    return result


def vm_config(options: argparse.Namespace) -> config.VmConfig | None:
    """The machine that the options describe; None when they describe none.

    :raises ConfigError: the machine is impossible.
    :raises argparse.ArgumentTypeError: options of a machine without --kernel or --firmware.
    """
    parts = {name: value for _, name, _, _ in machine_options() if (value := getattr(options, name)) is not None}
    payload = {}
    for name, schema in config.DEFS["PayloadConfig"]["properties"].items():
        if (value := getattr(options, name)) is not None:
            payload[name] = option_values.convert(schema, name, f"--{name}", value)
    if options.kernel is None and options.firmware is None:
        if payload or parts:
            first = _option(next(iter([*payload, *parts])))
            raise argparse.ArgumentTypeError(f"--{first} needs --kernel or --firmware")
        return None
    return config.parse({"payload": payload} | parts)


class _NotSupported(argparse.Action):
    """An option of Cloud Hypervisor that there is nothing behind yet. It may be told to be off: it is."""

    def __call__(
        self, parser: argparse.ArgumentParser, _namespace: object, values: Any, option: str | None = None
    ) -> None:
        if values != ["off"]:
            parser.error(f"{option} is not supported yet")


def machine_options() -> Iterator[tuple[str, str, dict[str, Any], bool]]:
    """Option, key of VmConfig, schema of one value, whether there may be several."""
    for name, declared in config.DEFS["VmConfig"]["properties"].items():
        if name not in _PAYLOAD:
            schema = option_values.resolved(declared)
            many = schema.get("type") == "array"
            yield _option(name), name, option_values.resolved(schema["items"]) if many else schema, many


def _option(name: str) -> str:
    """Cloud Hypervisor's: one disk at a time, so ``--disk`` for ``disks``."""
    declared = config.DEFS["VmConfig"]["properties"].get(name, {})
    single = name.removesuffix("s") if declared.get("type") == "array" else name
    return single.replace("_", "-")


def _add(group: argparse._ArgumentGroup, option: str, name: str, schema: dict[str, Any], many: bool) -> None:
    text = _text(schema)
    if "properties" not in schema:
        group.add_argument(f"--{option}", dest=name, action="store_true", default=None, help=text)
        return
    taken: dict[str, Any] = {"nargs": "+", "action": "extend"} if many else {}
    if not many and not schema.get("required"):
        taken = {"nargs": "?", "const": {}}  # every key has a default: the device as such
    group.add_argument(
        f"--{option}",
        dest=name,
        metavar=option_values.form(schema),
        type=lambda text: option_values.read(schema, text),
        help=f"{text}{' May be given several times.' if many else ''}",
        **taken,
    )


def _text(schema: dict[str, Any]) -> str:
    return str(schema["description"]).replace("%", "%%")


def _epilog() -> str:
    width = max(map(len, ENDPOINTS))
    paths = "\n".join(f"  {e.method} {name:{width}}  {e.summary}" for name, e in ENDPOINTS.items())
    return f"""\
{_keys()}
paths below http://localhost{BASE}:
{paths}

for example:
  nova-lite-vmm --kernel vmlinux --disk path=root.raw --cmdline "console=ttyS0 root=/dev/vda1 rw" \\
    --cpus boot=4 --memory size=1024M --net "tap=,mac=,ip=,mask=" --rng --serial tty
  nova-lite-vmm --api-socket /tmp/vmm.sock --kernel /path/to/interactive.elf --memory 64M --serial tty
  curl --unix-socket /tmp/vmm.sock http://localhost{BASE}vm.info
  curl --unix-socket /tmp/vmm.sock -X PUT http://localhost{BASE}vm.pause

With --serial tty, or without --console, every key goes to the guest: Ctrl-A x ends the VMM,
Ctrl-A Ctrl-A sends one Ctrl-A.
--openapi shows every document that goes in and out. SIGTERM and SIGINT end the VMM in good order."""


def _keys() -> str:
    """The keys of each option that takes some."""
    sections = []
    for option, _, schema, _ in machine_options():
        if "properties" in schema and (known := option_values.keys(schema)):
            needed = schema.get("required", ())
            width = max(map(len, known))
            lines = [
                f"  {key:{width}}  {'needed. ' if place[0] in needed else ''}{_values(value)}{value['description']}"
                for key, (place, value) in known.items()
            ]
            sections.append(f"keys of --{option}:\n" + "\n".join(lines) + "\n")
    return "\n".join(sections)


def _values(schema: dict[str, Any]) -> str:
    if schema.get("type") == "boolean":
        return "on|off. "
    return f"{'|'.join(str(choice) for choice in schema['enum'])}. " if "enum" in schema else ""


def _socket_path(text: str) -> Path:
    path = text.removeprefix("path=")
    if not path or "\0" in path:
        raise argparse.ArgumentTypeError("a path is needed")
    return Path(path).absolute()
