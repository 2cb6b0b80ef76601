"""kvmbox's command line."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from tests.nested import box, guest_kernel, kernels, packages

TIMED_OUT, BROKEN = 124, 125
LAST_LINES = 70  # a panic with its call trace
APT_INSTALL = Path(__file__).resolve().parents[2] / "scripts/apt-install"

EPILOG = """\
The box sees this machine's files at the same paths; what it writes is in its own memory and gone with it, except
below a --share folder. Exit code: the command's; 124 after the timeout, 125 when the box failed, 130 after Ctrl-C.
Kernel and busybox are fetched with apt-get download on the first run and kept in
$NOVA_LITE_KVMBOX_CACHE (else ~/.cache/nova-lite-kvmbox, or as XDG_CACHE_HOME says).
"""


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parsed(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if given.prepare:
            _prepare()
            if not given.command:
                return 0
        settings = box.Settings(
            memory=given.memory,
            cpus=given.cpus,
            timeout=given.timeout or None,
            workdir=given.workdir,
            environment=dict(given.env),
            shares=given.share,
        )
        console = _writer(2) if given.verbose else None
        return box.run(given.command, settings, _writer(1), _writer(2), console)
    except KeyboardInterrupt:
        return 130
    except box.BoxError as error:
        if error.console and not given.verbose:
            print("\n".join(error.console.splitlines()[-LAST_LINES:]), file=sys.stderr)
        print(f"kvmbox: {error}", file=sys.stderr)
        return TIMED_OUT if isinstance(error, box.BoxTimeout) else BROKEN
    except packages.Unavailable as error:
        print(f"kvmbox: {error}", file=sys.stderr)
        return BROKEN


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="kvmbox",
        usage="kvmbox [options] COMMAND [ARGUMENT...]",
        description="Run a command in a QEMU machine that has a real kvm-amd (/dev/kvm).",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--memory", type=_positive, default=3072, metavar="MIB", help="memory of the box (3072)")
    add("--cpus", type=_positive, default=1, metavar="N", help="its processors (1)")
    add("--timeout", type=_seconds, default=600, metavar="SECONDS", help="for boot and command together (600; 0: none)")
    add("--env", type=_variable, action="append", default=[], metavar="NAME[=VALUE]", help="variable for the command")
    add("--workdir", type=_folder, default=Path.cwd(), metavar="DIR", help="where the command runs (here)")
    add("--share", type=_folder, action="append", default=[], metavar="DIR", help="folder that it may really write to")
    add("--verbose", action="store_true", help="show the box's console on standard error")
    add("--prepare", action="store_true", help="first install QEMU (as root) and fetch the newest kernels and busybox")
    add("command", nargs=argparse.REMAINDER, metavar="COMMAND", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.command[:1] == ["--"]:
        given.command = given.command[1:]
    if not given.command and not given.prepare:
        parser.error("no command")
    return given


def _prepare() -> None:
    if shutil.which(box.QEMU) is None:
        installed = subprocess.run([APT_INSTALL, "qemu-system-x86"], check=False)
        if installed.returncode:
            raise packages.Unavailable("qemu-system-x86 could not be installed")
    for package in (box.KERNEL_PACKAGE, guest_kernel.PACKAGE, "busybox-static"):
        packages.refresh(package)
    for kernel in (kernels.debian(box.KERNEL_PACKAGE), guest_kernel.kernel()):
        print(f"kvmbox: {kernel.vmlinuz}", file=sys.stderr)


def _writer(fd: int) -> box.Sink:
    """Writes all to ``fd``; once its reader has gone, nowhere."""
    gone = False

    def write(data: bytes) -> None:
        nonlocal gone
        while data and not gone:
            try:
                data = data[os.write(fd, data) :]
            except BrokenPipeError:
                gone = True

    return write


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e9:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return number


def _folder(text: str) -> Path:
    if not Path(text).is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return Path(text).resolve()


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name.isidentifier():
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with a variable's name")
    if not equals and name not in os.environ:
        raise argparse.ArgumentTypeError(f"{name} is not set here")
    return name, value if equals else os.environ[name]
