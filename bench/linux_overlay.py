"""Copy-on-write overlay beside a plain raw file, in one Linux guest, by turns: 4 KiB at random places, depth 1 and 32.

Both stand on an ext4 in the host's memory and go through its page cache, as servers' disks do. The guest is
linux_block_guest.c, its disks vda (raw) and vdb (overlay over an image of the same size). "new overlay" is the first
round, in which reads come from the image and each first write to a place makes room for it; the ratio is that of the
later ones.

    python -m bench.linux_overlay [--rounds 3] [--here]
"""

from __future__ import annotations

import argparse
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import linux_block, linux_phases, linux_vmms
from nova_lite.disks import overlay

PHASES = {"randread_qd1": 600, "randwrite_qd1": 600, "randread_qd32": 2000, "randwrite_qd32": 2000}
MIB = 64
RAW, OVERLAY, NEW = "raw", "overlay", "new overlay"


@contextlib.contextmanager
def _vmms(folder: Path, given: argparse.Namespace) -> Iterator[linux_vmms.Vmms]:
    place = folder / "disks"
    place.mkdir()
    device = linux_vmms.ram_disk(4 * MIB)
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", device], check=True)
    subprocess.run(["mount", device, place], check=True)
    try:
        for name in ("raw", "image"):
            with (place / name).open("wb") as file:
                for _ in range(MIB):
                    file.write(b"nova" * (256 << 10))
        overlay.create(place / "overlay", MIB << 20, place / "image")
        disks = [
            {"path": str(place / "raw"), "image_type": "Raw"},
            {"path": str(place / "overlay"), "image_type": "Overlay", "backing_file": str(place / "image")},
        ]
        program = linux_phases.compiled(linux_block.SOURCE, folder)
        files = linux_vmms.Files.make(folder, ("virtio_pci", "virtio_blk"), {"bin/program": program})
        small, deep = PHASES["randread_qd1"], PHASES["randread_qd32"]
        run = "; ".join(f"program /dev/{_DISKS[name]} {small} {deep} 1" for name in _order(given.rounds))
        vmms = linux_vmms.Vmms(files, f'{linux_vmms.CMDLINE} nl.run="{run}"', disks=disks)
        try:
            yield vmms
        finally:
            vmms.close()
    finally:
        subprocess.run(["umount", place], check=True)


_DISKS = {RAW: "vda", OVERLAY: "vdb", NEW: "vdb"}


def _order(rounds: int) -> list[str]:
    """What comes first is nobody's advantage; one round more, of the new overlay."""
    later = [(RAW, OVERLAY) if number % 2 else (OVERLAY, RAW) for number in range(rounds)]
    return [RAW, NEW, *(name for both in later for name in both)]


def _turns(comparison: linux_phases.Comparison, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    with (
        tempfile.TemporaryDirectory(prefix="nlb-") as name,
        comparison.vmms(Path(name), given) as vmms,
        vmms.running(linux_phases.OURS) as vm,
    ):
        for number, side in enumerate(_order(given.rounds)):
            documents = linux_phases.phases(vm.console, side, comparison.amounts)
            yield from documents if number else _warming(documents)


def _warming(documents: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The first run of all does not count."""
    return (document | {"name": "warm-up"} for document in documents)


COMPARISON = linux_phases.Comparison(
    "bench.linux_overlay", __doc__, "requests", PHASES, "a raw file, same guest", _vmms,
    measured=OVERLAY, baseline=RAW, target=0.9, turns=_turns,
)  # fmt: skip


def main() -> int:
    return linux_phases.main(COMPARISON)


if __name__ == "__main__":
    sys.exit(main())
