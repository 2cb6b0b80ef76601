"""Power-on to the first line of init: an unmodified Debian cloud kernel on our VMM beside QEMU's microvm and q35.

The same bzImage, initramfs and command line, one vCPU, 256 MiB, serial console, in turns; the first turn warms the
caches and does not count. Power-on of ours is the request to the warm zygote (as the agent powers a server on), of
QEMU its exec. Debian's kernel spends long on looking for the clock that a plain microvm lacks: the baseline is the
quickest of "microvm", "microvm rtc" (rtc=on) and "microvm vmlinux" (that, and the kernel unpacked beforehand, PVH).

    python -m bench.linux_boot [--rounds 3] [--here]

It runs in one of tests/nested's boxes, a real kvm-amd under emulation, and counts the emulator's processor time: work
done, whatever else the machine does meanwhile. Compare, do not quote. Clock times stand beside. With --here it runs on
this machine's own /dev/kvm, and the clock counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import linux_vmms
from nova_lite.hv import host

TARGET = 0.8
OURS, BASELINES = "nova-lite", ("microvm", "microvm rtc", "microvm vmlinux")


def turns(names: list[str], rounds: int, cmdline: str) -> Iterator[dict[str, Any]]:
    """Two documents for each boot: before, and when init runs."""
    with tempfile.TemporaryDirectory(prefix="nlb-") as folder:
        vmms = linux_vmms.Vmms(linux_vmms.Files.make(Path(folder)), cmdline)
        try:
            for turn in range(rounds + 1):
                for name in names:
                    yield {"turn": turn, "name": name}
                    with vmms.running(name) as vm:
                        init = vm.console.wait_for(linux_vmms.INIT_LINE)
                        spent = {"clock": init - vm.started, "vmm": (vm.handed_over or init) - vm.started}
                        yield {"turn": turn, "name": name, "kvm": host.kvm_kind(), **spent, "counters": vm.counters()}
        finally:
            vmms.close()


class Runs:
    """What the boots took, by name."""

    def __init__(self) -> None:
        self.found: dict[str, list[dict[str, Any]]] = {}
        self._processor_time = linux_vmms.ProcessorTime()

    def add(self, document: dict[str, Any], cpu_seconds: float = 0.0) -> None:
        if not self._processor_time.ended(document, cpu_seconds):
            return
        print(f"{document['turn']} {document['name']}: {document['clock']:.2f} s, {document['cpu']:.2f} s of processor"
              f" time, VMM {document['vmm']:.2f} s", file=sys.stderr)  # fmt: skip
        if document["turn"] > 0:
            self.found.setdefault(document["name"], []).append(document)

    def result(self, counted: str) -> dict[str, object]:
        def each(key: str, choose: Any) -> dict[str, float]:
            return {name: round(choose(run[key] for run in runs), 3) for name, runs in self.found.items()}

        medians = each(counted, statistics.median)
        baseline = min((name for name in BASELINES if name in medians), key=lambda name: medians[name])
        ratio = medians[OURS] / medians[baseline]
        last = self.found[OURS][-1]
        return {
            "name": "linux_boot", "value": medians[OURS], "baseline": medians[baseline],
            "unit": "s from power-on to init" + (" (processor time of the emulator)" if counted == "cpu" else ""),
            "baseline_name": f"QEMU, {baseline}, same kernel and initramfs", "ratio": round(ratio, 3),
            "target": TARGET, "ok": ratio <= TARGET, "rounds": len(self.found[OURS]), "medians": medians,
            "ratios": {name: round(medians[OURS] / median, 3) for name, median in medians.items() if name != OURS},
            "clock_medians": each("clock", statistics.median), "clock_minima": each("clock", min),
            "vmm_seconds": each("vmm", statistics.median)[OURS], "counters": last["counters"], "kvm": last["kvm"],
        }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns that count (default %(default)s)")
    parser.add_argument("--cmdline", default=linux_vmms.CMDLINE, help="of the kernel (default %(default)r)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="beside nova-lite and microvm")
    parser.add_argument("--here", action="store_true", help="on this machine's /dev/kvm, not in a box")
    parser.add_argument("--raw", action="store_true", help="print what happens as it happens, not the result")
    given = parser.parse_args()
    runs = Runs()
    if given.here:
        everything = [*linux_vmms.NOVA_LITE, *linux_vmms.QEMU]
        names = [name for name in everything if not given.only or name in (OURS, "microvm", *given.only)]
        for document in turns(names, given.rounds, given.cmdline):
            if given.raw:
                print(json.dumps(document), flush=True)
            else:
                runs.add(document)
        if given.raw:
            return 0
    else:
        code = linux_vmms.in_box("bench.linux_boot", sys.argv[1:], runs.add)
        if code:
            return code
    result = runs.result("clock" if given.here else "cpu")
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
