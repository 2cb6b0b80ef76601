"""Memory of a VMM beside guest RAM with Linux booted (init runs, devices idle), ours beside QEMU's microvm and q35.

PSS shares each common page among its users: our VMM is a fork of a zygote and the only one here, so that half of what
the two have in common is counted to it (with a hundred VMs it is a hundredth: bench.vmm_memory).

    python -m bench.linux_memory [--here]

Without --here it runs in one of tests/nested's boxes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import linux_vmms
from nova_lite.hv import host

TARGET_MIB = 5.0
OURS, BASELINE = "nova-lite", "microvm"
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S{4} ")


def pss_mib(pid: int) -> tuple[float, float]:
    """PSS beside guest RAM and of guest RAM. That is told by its size: no other mapping of a VMM is as large."""
    beside = guest = 0
    of_guest = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if mapping := _MAPPING.match(line):
            start, end = (int(word, 16) for word in mapping.groups())
            of_guest = end - start >= linux_vmms.MEMORY_MIB << 20
        elif line.startswith("Pss:"):
            kib = int(line.split()[1])
            guest, beside = (guest + kib, beside) if of_guest else (guest, beside + kib)
    return beside / 1024, guest / 1024


def measure() -> dict[str, Any]:
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="nlb-") as folder:
        vmms = linux_vmms.Vmms(linux_vmms.Files.make(Path(folder)))
        try:
            for name in (OURS, BASELINE, "q35"):
                with vmms.running(name) as vm:
                    vm.console.wait_for(linux_vmms.READY_LINE)
                    found[name] = pss_mib(vm.pid)
        finally:
            vmms.close()
    value, baseline = found[OURS][0], found[BASELINE][0]
    return {
        "name": "linux_memory", "unit": "MiB PSS of the VMM beside guest RAM", "value": round(value, 2),
        "baseline": round(baseline, 2), "baseline_name": "QEMU -M microvm", "ratio": round(value / baseline, 3),
        "target": TARGET_MIB, "ok": value <= TARGET_MIB,
        "pss_mib": {name: {"beside": round(b, 2), "guest_ram": round(g, 2)} for name, (b, g) in found.items()},
        "guest_memory_mib": linux_vmms.MEMORY_MIB, "kvm": host.kvm_kind(),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true", help="on this machine's /dev/kvm, not in a box")
    parser.add_argument("--raw", action="store_true", help=argparse.SUPPRESS)  # there is one line in any case
    given = parser.parse_args()
    results: list[dict[str, Any]] = []
    if given.here:
        results.append(measure())
    else:  # its exit code says no more than the result, or it has said what went wrong
        linux_vmms.in_box("bench.linux_memory", [], lambda document, _: results.append(document))
    if not results:
        return 3
    (result,) = results
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
