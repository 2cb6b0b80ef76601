"""What the benchmarks beside QEMU make of their measurements."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from bench import linux_phases, linux_vmms


@contextlib.contextmanager
def _no_vmms(folder: Path, given: argparse.Namespace) -> Iterator[linux_vmms.Vmms]:
    raise AssertionError("nothing is started here")
    yield


COMPARISON = linux_phases.Comparison(
    "bench.linux_example", "doc", "requests", {"read": 100, "write": 300}, "QEMU", _no_vmms
)


def _runs(seconds: dict[tuple[str, str], list[tuple[float, float]]]) -> linux_phases.Runs:
    """``seconds``: (VMM, phase) → clock and processor time of each round."""
    runs, used = linux_phases.Runs(COMPARISON), 0.0
    for (name, phase), rounds in seconds.items():
        for clock, processor in rounds:
            runs.add({"name": name, "phase": phase}, used)
            used += processor
            runs.add({"name": name, "phase": phase, "clock": clock, "kvm": "kvm-amd"}, used)
            used += 5.0  # between phases: nobody's
    return runs


def test_the_worst_phase_by_any_measure_is_the_result(capsys):
    runs = _runs({
        ("nova-lite", "read"): [(1.0, 2.0), (2.0, 1.0), (9.0, 9.0)], ("q35", "read"): [(2.0, 4.0)] * 3,
        ("nova-lite", "write"): [(3.0, 3.0)] * 3, ("q35", "write"): [(6.0, 1.5), (6.0, 1.5), (3.0, 3.0)],
    })  # fmt: skip
    result = runs.result(("cpu", "clock"))
    assert result["ratios"] == {"cpu": {"read": 2.0, "write": 0.5}, "clock": {"read": 1.0, "write": 2.0}}
    assert (result["value"], result["baseline"], result["ratio"], result["ok"]) == (100.0, 200.0, 0.5, False)
    assert result["unit"] == "requests/s by cpu, write" and result["rounds"] == 3
    assert result["spread"]["clock"]["least"]["read"]["nova-lite"] == 11.1
    assert result["spread"]["clock"]["most"]["read"]["nova-lite"] == 100.0


def test_a_phase_without_baseline_work_does_not_divide_by_nothing(capsys):
    runs = _runs({(name, phase): [(1.0, 0.0)] for name in ("nova-lite", "q35") for phase in ("read", "write")})
    assert runs.result(("cpu",))["ratio"] == 1.0
