"""How fast our vCPU loop is: the counting guest's exits per second, against a plain C loop with the same ioctl.

Both run the same guest in turns, several times. Ours dispatches each exit on the bus, formats a line, keeps it in a
console log and counts; the plain loop only counts. Exits are taken per second of the vCPU thread's processor time, so
that a busy machine disturbs the comparison as little as possible; the wall-clock rates are reported beside.

Prints one JSON document. Exit status 1 when the target is missed.

    python -m bench.vcpu_loop [--rounds 7] [--seconds 1]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from nova_lite.hv import guests
from nova_lite.hv.native.machine import Machine
from nova_lite.hv.vmm import loader

TARGET = 0.95
HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Run:
    """One turn: exits, and what they took in seconds."""

    exits: int
    wall: float
    cpu: float

    @property
    def rate(self) -> float:
        return self.exits / self.cpu


def build_baseline(folder: Path) -> Path:
    program = folder / "baseline"
    source = HERE / "vcpu_loop_baseline.c"
    subprocess.run(["gcc", "-O2", "-Wall", "-D_GNU_SOURCE", "-o", program, source], check=True)
    return program


def run_baseline(program: Path, seconds: float) -> Run:
    command = [program, guests.COUNTING, str(seconds)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    exits, wall, cpu = (int(word) for word in output.split())
    return Run(exits, wall / 1e9, cpu / 1e9)


def run_ours(folder: Path, seconds: float) -> Run:
    with Machine(16 << 20, 1, folder / "console.log") as machine:
        loader.load(machine, guests.COUNTING)
        machine.start()
        start, before = time.monotonic(), machine.counters()["vcpu0"]
        time.sleep(seconds)
        after, end = machine.counters()["vcpu0"], time.monotonic()
    return Run(after["exits"] - before["exits"], end - start, (after["cpu_ns"] - before["cpu_ns"]) / 1e9)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each loop (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a turn (default %(default)s)")
    arguments = parser.parse_args()
    ours: list[Run] = []
    plain: list[Run] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        program = build_baseline(folder)
        for _ in range(arguments.rounds):
            plain.append(run_baseline(program, arguments.seconds))
            ours.append(run_ours(folder, arguments.seconds))
    ratio = statistics.median(o.rate / p.rate for o, p in zip(ours, plain, strict=True))
    result = {
        "name": "vcpu_loop",
        "unit": "exits per second of vCPU time",
        "value": round(statistics.median(run.rate for run in ours)),
        "baseline": round(statistics.median(run.rate for run in plain)),
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": ratio >= TARGET,
        "ratios": [round(o.rate / p.rate, 3) for o, p in zip(ours, plain, strict=True)],
        "wall": {
            "value": round(statistics.median(run.exits / run.wall for run in ours)),
            "baseline": round(statistics.median(run.exits / run.wall for run in plain)),
        },
        "kvm": next((m for m in ("kvm_pvm", "kvm_intel", "kvm_amd") if Path("/sys/module", m).exists()), "unknown"),
    }
    print(json.dumps(result, indent=2))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
