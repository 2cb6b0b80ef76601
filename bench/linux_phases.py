"""What linux_block, linux_net and linux_overlay share: a program in the guest goes through phases, two sides by turns.

The guest's program writes ``bench: begin PHASE`` and ``bench: end PHASE NANOSECONDS`` on the console. Two figures come
of each phase: the guest's clock, and the processor time of the box that all of it runs in, which other load on this
machine does not change as it does the clock.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import linux_vmms
from nova_lite.hv import host

TARGET = 1.0
OURS, BASELINE = "nova-lite", "q35"
LEAST_SECONDS = 0.01  # the box's processor time is counted in steps of this


@dataclass(frozen=True)
class Comparison:
    """``amounts``: phase → how many of ``unit`` it moves; ``vmms``: the VMs, of a folder for files and the options."""

    module: str
    doc: str
    unit: str
    amounts: Mapping[str, int]
    baseline_name: str
    vmms: Callable[[Path, argparse.Namespace], contextlib.AbstractContextManager[linux_vmms.Vmms]]
    options: Callable[[argparse.ArgumentParser], object] = id  # adds those of its own to the command line
    rounds: int = 3
    others: tuple[str, ...] = ()  # measured and shown as well with --others
    #: What is compared with what, by the names in the documents of ``turns``.
    measured: str = OURS
    baseline: str = BASELINE
    target: float = TARGET
    #: None: a boot of each VMM in each round.
    turns: Callable[[Comparison, argparse.Namespace], Iterator[dict[str, Any]]] | None = None

    @property
    def name(self) -> str:
        return self.module.rpartition(".")[2]


def compiled(source: Path, folder: Path) -> Path:
    """A static program that any Linux runs."""
    program = folder / source.stem
    subprocess.run(["gcc", "-O2", "-D_GNU_SOURCE", "-static", "-o", program, source], check=True)
    return program


def turns(comparison: Comparison, given: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A document at the begin and at the end of each phase of each VM."""
    with tempfile.TemporaryDirectory(prefix="nlb-") as name, comparison.vmms(Path(name), given) as vmms:
        names = (OURS, BASELINE, *(comparison.others if given.others else ()))
        for number in range(given.rounds):
            for vmm in names if number % 2 == 0 else reversed(names):  # what comes first is nobody's advantage
                with vmms.running(vmm) as vm:
                    yield from phases(vm.console, vmm, comparison.amounts)


def phases(console: linux_vmms.Console, name: str, amounts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The documents of the program's next run, as those of ``name``; the console is then read up to that run's end."""
    for phase in amounts:
        begin, end = f"bench: begin {phase}".encode(), f"bench: end {phase} ".encode()
        console.wait_for(begin)
        yield {"name": name, "phase": phase}
        console.wait_for(end)
        console.wait_for(b"\n", after=end)
        said, _, console.text = console.text.partition(end)[2].partition(b"\n")
        yield {"name": name, "phase": phase, "clock": int(said) / 1e9, "kvm": host.kvm_kind()}


class Runs:
    """Seconds of each phase by VMM."""

    def __init__(self, comparison: Comparison) -> None:
        self._comparison = comparison
        self._found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self._processor_time = linux_vmms.ProcessorTime()

    def add(self, document: dict[str, Any], cpu_seconds: float = 0.0) -> None:
        if not self._processor_time.ended(document, cpu_seconds):
            return
        name, phase = document["name"], document["phase"]
        print(f"{name} {phase}: {document['clock']:.3f} s, {document['cpu']:.2f} s of processor time", file=sys.stderr)
        self._found.setdefault((name, phase), []).append(document)

    def _rates(self, key: str, of_seconds: Callable[[list[float]], float]) -> dict[str, dict[str, float]]:
        def rate(name: str, phase: str) -> float:
            seconds = of_seconds([run[key] for run in self._found[name, phase]])
            return round(self._comparison.amounts[phase] / max(seconds, LEAST_SECONDS), 1)

        names = dict.fromkeys(name for name, _ in self._found)
        return {phase: {name: rate(name, phase) for name in names} for phase in self._comparison.amounts}

    def result(self, counted: tuple[str, ...]) -> dict[str, Any]:
        """``counted``: which of "clock" and "cpu" there are; the worst phase by any of them is the value."""
        measured, baseline, target = (getattr(self._comparison, key) for key in ("measured", "baseline", "target"))
        rates = {key: self._rates(key, statistics.median) for key in counted}
        spread = {key: {"least": self._rates(key, max), "most": self._rates(key, min)} for key in counted}
        ratios = {
            key: {phase: round(found[measured] / found[baseline], 3) for phase, found in rates[key].items()}
            for key in counted
        }
        ratio, key, phase = min((ratios[key][phase], key, phase) for key in counted for phase in ratios[key])
        return {
            "name": self._comparison.name, "value": rates[key][phase][measured],
            "unit": f"{self._comparison.unit}/s by {key}, {phase}", "baseline": rates[key][phase][baseline],
            "baseline_name": self._comparison.baseline_name, "ratio": ratio, "target": target, "ok": ratio >= target,
            "ratios": ratios, "rates": rates, "spread": spread, "rounds": len(self._found[measured, phase]),
            "kvm": self._found[measured, phase][0]["kvm"],
        }  # fmt: skip


def main(comparison: Comparison) -> int:
    """The benchmark's command line; its exit code."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {comparison.module}",
        description=comparison.doc,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=comparison.rounds, help="boots of each (default %(default)s)")
    parser.set_defaults(others=False)
    if comparison.others:
        parser.add_argument("--others", action="store_true", help=f"also measure {', '.join(comparison.others)}")
    parser.add_argument("--here", action="store_true", help="on this machine's /dev/kvm, as root, not in a box")
    parser.add_argument("--raw", action="store_true", help="print what happens as it happens, not the result")
    comparison.options(parser)
    given = parser.parse_args()
    runs = Runs(comparison)
    if given.here:
        for document in (comparison.turns or turns)(comparison, given):
            if given.raw:
                print(json.dumps(document), flush=True)
            else:
                runs.add(document)
        if given.raw:
            return 0
    elif code := linux_vmms.in_box(comparison.module, sys.argv[1:], runs.add):
        return code
    result = runs.result(("clock",) if given.here else ("cpu", "clock"))
    print(json.dumps(result))
    return 0 if result["ok"] else 1
