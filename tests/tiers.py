"""pytest plugin of `make test`: at the end, which tier ran and how long, and for each that did not (wholly) why.

A tier is a folder below tests/. pytest's own last line stays last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest

PURPOSES = {
    "static": "lint, types, generated files current",
    "unit": "parts in this process",
    "functional": "the service over HTTP",
    "kvm": "real VMs on /dev/kvm",
    "nested": "real VMs on the kvm-amd of a QEMU machine; by `make test-nested`",
}
COUNTED = {"passed": "passed", "failed": "failed", "error": "failed", "skipped": "skipped", "xfailed": "skipped"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    reasons: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[_tier(report.nodeid)] += report.duration  # type: ignore[assignment]
    for category, outcome in COUNTED.items():
        for report in terminalreporter.stats.get(category, []):
            tier = _tier(report.nodeid)
            counts[tier][outcome] += 1
            if outcome == "skipped":
                reasons[tier][_reason(report)] += 1
    terminalreporter.section("tiers")
    for tier in dict.fromkeys((*PURPOSES, *counts)):
        verdict = _verdict(counts[tier]) + (f" in {seconds[tier]:.0f} s" if counts[tier] else "")
        terminalreporter.write_line(f"{tier:11} {verdict:34} {PURPOSES.get(tier, '')}".rstrip())
        for reason, number in reasons[tier].most_common():
            terminalreporter.write_line(f"{'':11} {number} skipped: {reason}")


def _tier(nodeid: str) -> str:
    parts = nodeid.split("/")
    return parts[1] if len(parts) > 2 else parts[0]


def _verdict(count: Counter[str]) -> str:
    if not count:
        return "not run: no tests collected"
    if not count["passed"] and not count["failed"]:
        return f"not run: all {count['skipped']} skipped"
    words: Iterable[str] = (f"{count[name]} {name}" for name in ("passed", "failed", "skipped") if count[name])
    return "ran: " + ", ".join(words)


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return getattr(report, "wasxfail", "") or "no reason given"
