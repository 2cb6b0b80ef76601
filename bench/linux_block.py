"""virtio-blk in Linux: 4 KiB random at queue depth 1 and 32, 256 KiB sequential; ours beside QEMU's (q35, cache=none).

The disk is a RAM disk of the host (brd), opened with O_DIRECT: what is measured is the way to it. The guest runs
linux_block_guest.c, a fixed number of requests in each phase.

    python -m bench.linux_block [--rounds 2] [--here]

In a box (the default) what counts is the emulator's processor time; with --here, as root, the guest's clock. Values
are requests per second, the ratio is the worst phase's.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import linux_vmms
from nova_lite.hv import host
from tests.nested import kernels

TARGET = 1.0
OURS, BASELINE = "nova-lite", "q35"
PHASES = {
    "randread_qd1": 3000, "randwrite_qd1": 3000, "randread_qd32": 3000, "randwrite_qd32": 3000,
    "seqread_256k": 300, "seqwrite_256k": 300,
}  # fmt: skip
SMALL, LARGE = PHASES["randread_qd1"], PHASES["seqread_256k"]
DISK = Path("/dev/ram0")
DISK_KIB = 64 << 10
SOURCE = Path(__file__).with_name("linux_block_guest.c")


def turns(rounds: int) -> Iterator[dict[str, Any]]:
    """A document at the begin and at the end of each phase of each VM."""
    # busybox's own: a small system may be without kmod
    subprocess.run([kernels.busybox(), "modprobe", "brd", "rd_nr=1", f"rd_size={DISK_KIB}"], check=True)
    with DISK.open("r+b") as disk:
        for _ in range(DISK_KIB >> 10):  # its pages are made here, not while it is measured
            disk.write(b"nova" * (256 << 10))
    with tempfile.TemporaryDirectory(prefix="nlb-") as name:
        folder = Path(name)
        program = folder / "program"
        subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-static", "-o", program, SOURCE], check=True)
        files = linux_vmms.Files.make(folder, ("virtio_pci", "virtio_blk"), {"bin/program": program})
        run = f'{linux_vmms.CMDLINE} nl.run="program /dev/vda {SMALL} {LARGE}"'
        vmms = linux_vmms.Vmms(files, run, DISK)
        try:
            for _ in range(rounds):
                for vmm in (OURS, BASELINE):
                    with vmms.running(vmm) as vm:
                        for phase in PHASES:
                            vm.console.wait_for(f"bench: begin {phase}".encode())
                            yield {"name": vmm, "phase": phase}
                            vm.console.wait_for(f"bench: end {phase} ".encode())
                            vm.console.wait_for(b"\n", after=f"bench: end {phase} ".encode())
                            words = vm.console.text.partition(f"bench: end {phase} ".encode())[2].split()
                            yield {"name": vmm, "phase": phase, "clock": int(words[0]) / 1e9, "kvm": host.kvm_kind()}
        finally:
            vmms.close()


class Runs:
    """Seconds of each phase by VMM."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._began = 0.0

    def add(self, document: dict[str, Any], cpu_seconds: float = 0.0) -> None:
        if "clock" not in document:
            self._began = cpu_seconds
            return
        document["cpu"] = cpu_seconds - self._began
        name, phase = document["name"], document["phase"]
        print(f"{name} {phase}: {document['clock']:.3f} s, {document['cpu']:.2f} s of processor time", file=sys.stderr)
        self.found.setdefault((name, phase), []).append(document)

    def result(self, counted: str) -> dict[str, object]:
        def rate(name: str, phase: str, key: str) -> float:
            return PHASES[phase] / max(statistics.median(run[key] for run in self.found[name, phase]), 0.01)

        def ratios(key: str) -> dict[str, float]:
            return {phase: round(rate(OURS, phase, key) / rate(BASELINE, phase, key), 3) for phase in PHASES}

        ratio = min(ratios(counted).values())
        worst = min(PHASES, key=lambda phase: ratios(counted)[phase])
        return {
            "name": "linux_block", "value": round(rate(OURS, worst, counted)), "unit": f"requests/s, {worst}",
            "baseline": round(rate(BASELINE, worst, counted)), "ratio": ratio, "target": TARGET, "ok": ratio >= TARGET,
            "baseline_name": f"QEMU -M q35 virtio-blk-pci cache=none aio={linux_vmms.QEMU_AIO}", "counted": counted,
            "ratios": ratios(counted), "clock_ratios": ratios("clock"),
            "rates": {p: {n: round(rate(n, p, counted)) for n in (OURS, BASELINE)} for p in PHASES},
            "kvm": self.found[OURS, worst][0]["kvm"],
        }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2, help="boots of each (default %(default)s)")
    parser.add_argument("--here", action="store_true", help="on this machine's /dev/kvm, not in a box")
    parser.add_argument("--raw", action="store_true", help="print what happens as it happens, not the result")
    given = parser.parse_args()
    runs = Runs()
    if given.here:
        for document in turns(given.rounds):
            if given.raw:
                print(json.dumps(document), flush=True)
            else:
                runs.add(document)
        if given.raw:
            return 0
    elif code := linux_vmms.in_box("bench.linux_block", sys.argv[1:], runs.add):
        return code
    result = runs.result("clock" if given.here else "cpu")
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
