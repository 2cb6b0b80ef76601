"""Memory of idle VMs beside guest RAM: PSS per VMM process with many of them, next to a bare fork of the zygote.

PSS (proportional set size) shares each common page among its users, so that the sum over processes is what the host
spends. Guest RAM is left out by its size: no other mapping of a VMM is as large.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import nova_lite.hv.guests
from nova_lite.conf import Paths
from nova_lite.hv import host
from nova_lite.hv.driver import MachineInfo, MachineSpec
from nova_lite.hv.kvm import KvmDriver

TARGET_MIB = 4.0
BARE_FORKS = """
import gc, os, sys
import nova_lite.hv.vmm.zygote
gc.collect()
gc.freeze()
pids = []
for _ in range(int(sys.argv[1])):
    pids.append(os.fork())
    if pids[-1] == 0:
        os.read(0, 1)
        os._exit(0)
print(*pids, flush=True)
os.read(0, 1)
"""
FIELDS = ("Rss", "Pss", "Private_Dirty")


def memory_kib(pid: int, guest_mb: int) -> tuple[dict[str, int], int]:
    """Rss, Pss and Private_Dirty of all mappings but guest RAM, and the Pss of guest RAM; in KiB."""
    totals, guest, in_guest_ram = dict.fromkeys(FIELDS, 0), 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, _, rest = line.partition(":")
        if "-" in name.split(" ")[0]:
            start, end = (int(word, 16) for word in name.split(" ")[0].split("-"))
            in_guest_ram = end - start >= guest_mb << 20
        elif in_guest_ram:
            guest += int(rest.split()[0]) if name == "Pss" else 0
        elif name in totals:
            totals[name] += int(rest.split()[0])
    return totals, guest


def bare_forks(count: int) -> list[dict[str, int]]:
    """As many processes forked from a process that is as warm as the zygote, doing nothing."""
    environment = os.environ | {"MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", BARE_FORKS, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        found = [memory_kib(pid, 1 << 20)[0] for pid in pids]
        parent.stdin.close()  # they end
    return found


def measure(count: int, memory_mb: int) -> dict[str, object]:
    interactive = Path(nova_lite.hv.guests.__file__).parent / "interactive.elf"
    with tempfile.TemporaryDirectory(prefix="nova-lite-bench-") as folder:
        driver = KvmDriver(Paths(folder))
        driver.start(lambda event: print(f"unexpected: {event}", file=sys.stderr))
        infos: list[MachineInfo] = []
        try:
            for _ in range(count):
                spec = MachineSpec(str(uuid.uuid4()), "idle", 1, memory_mb, interactive, "elf64")
                infos.append(driver.power_on(spec))
            for info in infos:
                driver.info(info.uuid)  # each has answered a request and waits at its prompt
            vmms = [memory_kib(info.pid, memory_mb) for info in infos]
        finally:
            for info in infos:
                driver.destroy(info.uuid)
            driver.close()
    bare = statistics.mean(totals["Pss"] for totals in bare_forks(count)) / 1024
    pss = [totals["Pss"] / 1024 for totals, _ in vmms]
    return {
        "name": "vmm_memory",
        "value": round(statistics.mean(pss), 3),
        "unit": "MiB PSS per VM beside guest RAM",
        "target": TARGET_MIB,
        "met": max(pss) <= TARGET_MIB,
        "count": count,
        "guest_memory_mb": memory_mb,
        "max": round(max(pss), 3),
        "private_dirty_mib": round(statistics.mean(t["Private_Dirty"] for t, _ in vmms) / 1024, 3),
        "rss_mib": round(statistics.mean(t["Rss"] for t, _ in vmms) / 1024, 3),
        "guest_ram_pss_mib": round(statistics.mean(guest for _, guest in vmms) / 1024, 3),
        "baseline": {"what": "a bare fork of the warm zygote", "pss_mib": round(bare, 3)},
        "ratio": round(statistics.mean(pss) / bare, 2),
        "host": {"kvm": host.kvm_kind(), "cpus": os.cpu_count()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="VMs that run at the same time (100)")
    parser.add_argument("--memory", type=int, default=16, help="guest memory in MiB (16)")
    given = parser.parse_args()
    result = measure(given.count, given.memory)
    print(json.dumps(result))
    return 0 if result["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
