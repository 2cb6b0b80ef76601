"""virtio-net in Linux: TCP to the host, from the host, and round trips of one byte; ours beside QEMU's without vhost.

Guest and host run linux_net_program.c; the tap between them is in a network namespace of this process' own.

    python -m bench.linux_net [--rounds 3] [--here]

Values are MiB (round trips for ``round_trips``) per second, by the guest's clock and, in a box (the default), by the
emulator's processor time; the ratio is the worst of all.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import linux_phases, linux_vmms

PHASES = {"guest_to_host": 256, "host_to_guest": 256, "round_trips": 3000}
TAP, HOST, GUEST, PORT = "nlbench", "192.0.2.1", "192.0.2.2", 5001  # RFC 5737: nobody's
SOURCE = Path(__file__).with_name("linux_net_program.c")
_CLONE_NEWNET = 0x40000000


def _namespace() -> None:
    """This process, and what it starts, in a network of its own with the tap in it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "a network namespace needs root")
    for command in (
        f"tuntap add dev {TAP} mode tap vnet_hdr", f"address add {HOST}/24 dev {TAP}", f"link set {TAP} up",
    ):  # fmt: skip
        subprocess.run(["ip", *command.split()], check=True)


@contextlib.contextmanager
def _vmms(folder: Path, _: argparse.Namespace) -> Iterator[linux_vmms.Vmms]:
    _namespace()
    program = linux_phases.compiled(SOURCE, folder)
    files = linux_vmms.Files.make(folder, ("virtio_pci", "virtio_net"), {"bin/program": program})
    run = (
        f"ip addr add {GUEST}/24 dev eth0; ip link set eth0 up;"
        f"program {HOST} {PORT} {PHASES['guest_to_host']} {PHASES['round_trips']}"
    )
    vmms = linux_vmms.Vmms(files, f'{linux_vmms.CMDLINE} nl.run="{run}"', card=TAP)
    try:
        with subprocess.Popen([program, "serve", HOST, str(PORT)]) as server:
            try:
                yield vmms
            finally:
                server.kill()
    finally:
        vmms.close()


COMPARISON = linux_phases.Comparison(
    "bench.linux_net", __doc__, "MiB or round trips", PHASES, "QEMU -M q35 virtio-net-pci tap vhost=off", _vmms
)


def main() -> int:
    return linux_phases.main(COMPARISON)


if __name__ == "__main__":
    sys.exit(main())
