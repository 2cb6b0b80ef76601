"""nova-lite-vmm, used alone: one VMM in the foreground, driven by its options and by REST."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import nova_lite
from nova_lite.hv.vmm import openapi, options
from nova_lite.hv.vmm.api_socket import ApiSocket, default_path
from nova_lite.hv.vmm.config import VmConfig
from nova_lite.hv.vmm.errors import SocketInUse, VmmError
from nova_lite.hv.vmm.server import Server

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until vmm.shutdown, SIGTERM or SIGINT. Returns the exit status: 0, 1 for failures, 2 for wrong usage."""
    parser = options.parser()
    given = parser.parse_args(arguments)
    if given.openapi:
        print(json.dumps(openapi.document(), indent=2))
        return 0
    if given.completion:
        from nova_lite.hv.vmm import completion

        print(completion.script(given.completion), end="")
        return 0
    logging.basicConfig(
        level=_LEVELS[min(given.verbose, len(_LEVELS) - 1)], format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    try:
        config = options.vm_config(given)
    except (VmmError, argparse.ArgumentTypeError) as error:
        parser.error(str(error))
    try:
        path = given.api_socket or default_path()
        server = Server(ApiSocket(path), given.exit_on_shutdown)
    except (SocketInUse, OSError) as error:
        return _fail(f"the API socket cannot be made: {error}")
    try:
        with contextlib.suppress(BrokenPipeError):  # nobody wants to read it: no reason not to run
            sys.stdout.write(_summary(path, config))
            sys.stdout.flush()
        if config is not None:
            server.boot(config)
        server.run()
    except VmmError as error:
        return _fail(str(error))
    finally:
        server.close()
    return 0


def _summary(path: Path, config: VmConfig | None) -> str:
    lines = [f"nova-lite-vmm {nova_lite.__version__}", f"  API server: {path}"]
    if config is None:
        lines.append("  No machine yet: PUT vm.create defines one.")
    else:
        far_end = "" if config.serial_path is None else f" {config.serial_path}"
        console_end = "" if config.console_path is None else f" {config.console_path}"
        lines += [
            f"  vCPUs: {config.boot_vcpus}",
            f"  Memory: {config.memory_size / (1 << 20):g} MiB",
            f"  Kernel: {config.kernel}",
            f"  Kernel cmdline: {config.cmdline}",
            f"  Serial: {config.serial_mode}{far_end}",
            f"  Console: {config.console_mode}{console_end}",
            f"  Debug console: {config.debug_console_mode}",
            f"  Console log: {config.console_log or 'None'}",
        ]
    return "\n".join(lines) + "\n"


def _fail(sentence: str) -> int:
    print(f"nova-lite-vmm: {sentence}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
