"""Memory of idle VMs beside guest RAM: PSS per VMM process with many of them, next to a bare fork of the zygote.

PSS (proportional set size) shares each common page among its users, so that the sum over processes is what the host
spends. Guest RAM is left out by its size: no other mapping of a VMM is as large. Each VM has answered a request and
then come to rest, which is when a VMM gives back what it can (hv/vmm/shared_heap.py).

    python -m bench.vmm_memory [--count 100] [--memory 16] [--disk] [--net]

--disk gives each VM an overlay over one common base, --net a card on a tap of its own (root, in a network namespace
that goes with the benchmark).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import nova_lite.hv.guests
from nova_lite.hv import host
from nova_lite.hv.driver import DiskSpec, MachineInfo, MachineSpec, NicSpec
from nova_lite.hv.kvm import KvmDriver
from nova_lite.paths import Paths

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
DISK_SIZE = 64 << 20
#: Seconds that the VMs get to come to rest, and between two looks at whether they have.
PATIENCE, INTERVAL = 30.0, 1.5
#: What may still change between two looks at VMs at rest, in KiB each.
NOISE = 8


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


def at_rest(pids: list[int], memory_mb: int) -> list[tuple[dict[str, int], int]]:
    """What each has, once it changes no more."""
    end = time.monotonic() + PATIENCE
    before, now = 1 << 60, [memory_kib(pid, memory_mb) for pid in pids]
    while before - sum(totals["Pss"] for totals, _ in now) > NOISE * len(pids) and time.monotonic() < end:
        before = sum(totals["Pss"] for totals, _ in now)
        time.sleep(INTERVAL)
        now = [memory_kib(pid, memory_mb) for pid in pids]
    return now


def machine(folder: Path, number: int, memory_mb: int, disk: bool, net: bool) -> MachineSpec:
    name, interactive = str(uuid.uuid4()), Path(nova_lite.hv.guests.__file__).parent / "interactive.elf"
    disks: tuple[DiskSpec, ...] = ()
    nics: tuple[NicSpec, ...] = ()
    if disk:
        base = folder / "base.raw"
        if not base.exists():
            base.touch()
            os.truncate(base, DISK_SIZE)
        disks = (DiskSpec("vda", folder / f"{name}.overlay", DISK_SIZE, backing=base, serial=name[:20]),)
    if net:
        tap = f"bench{number}"
        subprocess.run(["ip", "tuntap", "add", "dev", tap, "mode", "tap", "vnet_hdr"], check=True)
        subprocess.run(["ip", "link", "set", tap, "up"], check=True)
        nics = (NicSpec(name[:8], tap, f"02:00:00:{number.to_bytes(3, 'big').hex(':')}"),)
    return MachineSpec(name, "idle", 1, memory_mb, interactive, "elf64", nics=nics, disks=disks)


def measure(count: int, memory_mb: int, disk: bool, net: bool) -> dict[str, object]:
    with tempfile.TemporaryDirectory(prefix="nova-lite-bench-") as folder:
        driver = KvmDriver(Paths(folder))
        driver.start(lambda event: print(f"unexpected: {event}", file=sys.stderr))
        infos: list[MachineInfo] = []
        try:
            for number in range(count):
                spec = machine(Path(folder), number, memory_mb, disk, net)
                driver.prepare(spec)
                infos.append(driver.power_on(spec))
            for info in infos:
                driver.info(info.uuid)
            vmms = at_rest([info.pid for info in infos], memory_mb)
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
        "disk": disk,
        "net": net,
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
    parser.add_argument("--disk", action="store_true", help="a disk for each: an overlay over a common base")
    parser.add_argument("--net", action="store_true", help="a network card for each, on a tap (root)")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)  # the namespace is there already
    given = parser.parse_args()
    if given.net and not given.inside:
        command = ["unshare", "--net", sys.executable, "-m", "bench.vmm_memory", *sys.argv[1:], "--inside"]
        return subprocess.run(command, check=False).returncode
    result = measure(given.count, given.memory, given.disk, given.net)
    print(json.dumps(result))
    return 0 if result["met"] else 1


if __name__ == "__main__":
    sys.exit(main())
