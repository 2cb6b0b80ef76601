"""virtio-blk in Linux: 4 KiB random at queue depth 1 and 32, 256 KiB sequential; ours beside QEMU's (q35, cache=none).

The disk is a RAM disk of the host (brd), opened with O_DIRECT: what is measured is the way to it. The guest runs
linux_block_guest.c, a fixed number of requests in each phase.

    python -m bench.linux_block [--rounds 3] [--latency MICROSECONDS] [--others] [--here]

Values are requests per second, by the guest's clock and, in a box (the default), by the emulator's processor time; the
ratio is the worst of all. --latency: a disk that takes its time for each request (null_blk) in place of the RAM disk.
--others: ours without io_uring as well.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import linux_phases, linux_vmms

PHASES = {
    "randread_qd1": 4000, "randwrite_qd1": 4000, "randread_qd32": 8000, "randwrite_qd32": 8000,
    "seqread_256k": 1500, "seqwrite_256k": 1500,
}  # fmt: skip
SMALL, SMALL_DEEP, LARGE = PHASES["randread_qd1"], PHASES["randread_qd32"], PHASES["seqread_256k"]
DISK_MIB = 64
SOURCE = Path(__file__).with_name("linux_block_guest.c")


def _disk(latency_us: int) -> Path:
    if latency_us:
        # irqmode 2: a timer ends each request.
        linux_vmms.modprobe("null_blk", "nr_devices=1", "gb=1", "irqmode=2", f"completion_nsec={latency_us * 1000}")
        return Path("/dev/nullb0")
    path = linux_vmms.ram_disk(DISK_MIB)
    with path.open("r+b") as disk:
        for _ in range(DISK_MIB):  # its pages are made here, not while it is measured
            disk.write(b"nova" * (256 << 10))
    return path


@contextlib.contextmanager
def _vmms(folder: Path, given: argparse.Namespace) -> Iterator[linux_vmms.Vmms]:
    disk = _disk(given.latency)
    program = linux_phases.compiled(SOURCE, folder)
    files = linux_vmms.Files.make(folder, ("virtio_pci", "virtio_blk"), {"bin/program": program})
    run = f'{linux_vmms.CMDLINE} nl.run="program /dev/vda {SMALL} {SMALL_DEEP} {LARGE}"'
    vmms = linux_vmms.Vmms(files, run, disk=disk)
    try:
        yield vmms
    finally:
        vmms.close()


def _options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--latency", type=int, default=0, metavar="MICROSECONDS", help="of the disk (none)")


COMPARISON = linux_phases.Comparison(
    "bench.linux_block", __doc__, "requests", PHASES,
    f"QEMU -M q35 virtio-blk-pci cache=none aio={linux_vmms.QEMU_AIO}", _vmms, _options,
    others=(linux_vmms.WITHOUT_IO_URING,),
)  # fmt: skip


def main() -> int:
    return linux_phases.main(COMPARISON)


if __name__ == "__main__":
    sys.exit(main())
