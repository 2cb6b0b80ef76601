"""What Tempest's tests said: told as they run, counted at the end."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

#: stestr's line for a test that has ended: `{0} tempest.api.compute.….test_list [0.215s] ... ok`
_ENDED = re.compile(r"^\{\d+\} (?P<name>.+?) \[(?P<seconds>[\d.]+)s\] \.\.\. (?P<outcome>ok|FAILED|SKIPPED)")


@dataclass
class Results:
    """Of one run; ``skipped`` and ``failed`` by name, with reason or traceback."""

    passed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def summary(self) -> str:
        counts = [len(found) for found in (self.passed, self.failed, self.skipped)]
        return "\n".join(
            (
                *_by_reason("skipped", self.skipped.values()),
                *_by_reason("failed", map(_last_line, self.failed.values())),
                *(f"failed: {name}" for name in sorted(self.failed)),
                "{3} tests: {0} passed, {1} failed, {2} skipped".format(*counts, sum(counts)),
            )
        )


def _by_reason(title: str, reasons: Iterable[str]) -> list[str]:
    found = Counter(reasons)
    return [f"{title}, by reason:", *(f"{count:6}  {reason}" for reason, count in found.most_common())] if found else []


def _last_line(traceback: str) -> str:
    lines = [line.strip() for line in traceback.splitlines() if line.strip() and line.strip() != "}}}"]
    return lines[-1][:160] if lines else ""


def progress(lines: Iterable[str], everything: TextIO) -> None:
    """Print each test as it ends, with the counts so far; all lines go into ``everything``."""
    counts: Counter[str] = Counter()
    for line in lines:
        everything.write(line)
        if ended := _ENDED.match(line):
            counts[ended["outcome"]] += 1
            so_far = f"{counts['ok']} passed, {counts['FAILED']} failed, {counts['SKIPPED']} skipped"
            print(f"[{so_far}] {ended['outcome']:7} {float(ended['seconds']):6.1f} s  {ended['name']}", flush=True)


def read(junit: Path) -> Results:
    """From a JUnit file as subunit2junitxml writes it."""
    results = Results()
    for case in ElementTree.parse(junit).getroot().iter("testcase"):
        name = ".".join(part for part in (case.get("classname"), case.get("name")) if part)
        name = re.sub(r"\[id-.*$", "", name)
        bad = [element for element in case if element.tag in ("failure", "error")]
        skipped = case.find("skipped")
        if bad:
            results.failed[name] = bad[0].text or ""
        elif skipped is not None:
            results.skipped[name] = (skipped.text or skipped.get("message") or "no reason given").strip()
        else:
            results.passed.append(name)
    return results
