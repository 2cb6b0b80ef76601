"""Memory of a VMM beside guest RAM with Linux booted (init runs, devices idle), ours beside QEMU's microvm and q35.

PSS shares each common page among its users. All our VMMs are forks of one zygote, so that it matters how many there
are: --others idle VMs run beside ours. What it is for a VMM that has the host to itself is shown too.

    python -m bench.linux_memory [--others 20] [--here]

Without --here it runs in one of tests/nested's boxes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import linux_vmms
from nova_lite.hv import host

TARGET_MIB = 5.0
_LOOKS, _BETWEEN = 60, 2.0  # seconds
OURS, BASELINE = "nova-lite", "microvm"
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S{4} ")


FIELDS = ("Pss", "Private_Dirty", "Rss")


def memory_mib(pid: int) -> dict[str, float]:
    """Of all mappings but guest RAM, which is told by its size: no other mapping of a VMM is as large."""
    totals = dict.fromkeys((*FIELDS, "guest_ram"), 0)
    of_guest = False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if mapping := _MAPPING.match(line):
            start, end = (int(word, 16) for word in mapping.groups())
            of_guest = end - start >= linux_vmms.MEMORY_MIB << 20
            continue
        name, _, rest = line.partition(":")
        if name in FIELDS and not of_guest:
            totals[name] += int(rest.split()[0])
        elif name == "Pss":
            totals["guest_ram"] += int(rest.split()[0])
    return {name: round(kib / 1024, 2) for name, kib in totals.items()}


def at_rest(pid: int) -> dict[str, float]:
    """As ``memory_mib``, once three looks in a row see the same.

    A VMM that has had nothing to do for a second gives back what equals its zygote's memory, which maps that once more
    meanwhile; and nothing tells from outside that it is done.
    """
    seen: list[dict[str, float]] = []
    for _ in range(_LOOKS):
        seen.append(memory_mib(pid))
        if len(seen) >= 3 and seen[-1]["Pss"] == seen[-2]["Pss"] == seen[-3]["Pss"]:
            break
        time.sleep(_BETWEEN)
    return seen[-1]


def measure(others: int) -> dict[str, Any]:
    found: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="nlb-") as folder, contextlib.ExitStack() as idle:
        vmms = linux_vmms.Vmms(linux_vmms.Files.make(Path(folder)))
        idle.callback(vmms.close)
        for name in (BASELINE, "q35"):
            with vmms.running(name) as vm:
                vm.console.wait_for(linux_vmms.READY_LINE)
                found[name] = at_rest(vm.pid)
        with vmms.running(OURS) as vm:
            vm.console.wait_for(linux_vmms.READY_LINE)
            found["nova-lite alone"] = at_rest(vm.pid)
            for number in range(others):
                idle.enter_context(vmms.idle(number))
            found[OURS] = at_rest(vm.pid)
    value, baseline = found[OURS]["Pss"], found[BASELINE]["Pss"]
    return {
        "name": "linux_memory", "unit": f"MiB PSS of the VMM beside guest RAM, with {others} other VMs", "value": value,
        "baseline": baseline, "baseline_name": "QEMU -M microvm", "ratio": round(value / baseline, 3),
        "target": TARGET_MIB, "ok": value <= TARGET_MIB, "mib": found, "guest_memory_mib": linux_vmms.MEMORY_MIB,
        "kvm": host.kvm_kind(),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=int, default=20, help="idle VMs beside (default %(default)s)")
    parser.add_argument("--here", action="store_true", help="on this machine's /dev/kvm, not in a box")
    parser.add_argument("--raw", action="store_true", help=argparse.SUPPRESS)  # there is one line in any case
    given = parser.parse_args()
    results: list[dict[str, Any]] = []
    if given.here:
        results.append(measure(given.others))
    else:  # its exit code says no more than the result, or it has said what went wrong
        linux_vmms.in_box("bench.linux_memory", sys.argv[1:], lambda document, _: results.append(document))
    if not results:
        return 3
    (result,) = results
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
