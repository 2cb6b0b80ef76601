"""How tests in a box are told of outside: deadlines, what a failure shows, the second box."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from tests.nested import box, conftest

ROOT = Path(__file__).parents[2]


def inside(folder: Path, test: str, deadline: int = 400) -> list[dict[str, Any]]:
    """The reports of a test that runs as in a box."""
    (folder / "test_it.py").write_text(f"import os, time\ndef test_it():\n    {test}\n")
    (folder / "pytest.ini").write_text("[pytest]\n")
    words = ["-p", "tests.nested.box_reports", "-p", "no:terminal", "-p", "no:cacheprovider", "--rootdir", str(folder)]
    program = "import pytest, tests.nested.box_reports as reports\n"
    program += f"reports.DEADLINE, reports._GRACE = {deadline}, 1\npytest.main({words})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=100
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_test_that_comes_to_no_end_is_ended_and_tells_where_it_was(tmp_path: Path) -> None:
    reports = inside(tmp_path, "time.sleep(90)  # here", deadline=1)
    assert [report["when"] for report in reports] == ["setup", "call", "teardown"]
    assert reports[1]["outcome"] == "failed"
    said = json.dumps(reports[1]["longrepr"])
    assert "no end after 1 s" in said and "thread MainThread" in said and "time.sleep(90)  # here" in said


def test_a_failure_shows_what_the_boxs_kernel_said(tmp_path: Path) -> None:
    _, call, _ = inside(tmp_path, "assert os.getpid() == 0")
    assert call["outcome"] == "failed" and "the box's kernel" in [title for title, _ in call["sections"]]


class Boxes:
    """In place of ``box.run``: each run of pytest gives the outcomes that come next."""

    def __init__(self, config: pytest.Config, *outcomes: str | box.BoxError) -> None:
        self._config, self._outcomes = config, list(outcomes)
        self.asked: list[list[str]] = []

    def run(self, command: list[str], _settings: object, stdout: box.Sink, _stderr: box.Sink) -> int:
        nodes = [word for word in command if "::" in word]
        self.asked.append(nodes)
        outcome = self._outcomes.pop(0)
        if isinstance(outcome, box.BoxError):
            raise outcome
        for node, letter in zip(nodes, outcome, strict=True):
            for when in ("setup", "call", "teardown"):
                bad = letter == "F" and when == "call"
                longrepr = "the first failure" if bad else None
                report = pytest.TestReport(node, ("", 0, ""), {}, "failed" if bad else "passed", longrepr, when)
                data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
                stdout(json.dumps(data).encode() + b"\n")
        return 0


class Item:
    def __init__(self, config: pytest.Config, name: str) -> None:
        self.config, self.name, self.nodeid = config, name, f"tests/nested/inside/test_x.py::{name}"
        self.path, self.location = Path("test_x.py"), ("test_x.py", 0, name)

    def getparent(self, _kind: object) -> None:
        return None


@pytest.mark.parametrize(
    ("first", "second", "again", "failed"),
    [
        ("..", None, None, ""),
        (".F", ".", "b", ""),
        (".F", "F", "b", "b"),
        (box.BoxPanic("corrupted stack end"), "..", "ab", ""),
        (box.BoxLockup("locked up"), box.BoxLockup("locked up"), "ab", "ab"),
    ],
)
def test_what_failed_is_run_once_more_in_a_second_box_with_a_warning(
    pytestconfig, monkeypatch, first, second, again, failed
) -> None:
    boxes = Boxes(pytestconfig, first, second)
    monkeypatch.setattr(box, "run", boxes.run)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reports = conftest._reports([Item(pytestconfig, "a"), Item(pytestconfig, "b")])  # type: ignore[list-item]
    runs = ["".join(node[-1] for node in nodes) for nodes in boxes.asked]
    assert runs == (["ab"] if again is None else ["ab", again])
    assert "".join(node[-1] for node, told in reports.items() if any(r.failed for r in told)) == failed
    assert len(caught) == len(runs) - 1
    for warning in caught:
        assert str(first) in str(warning.message) or "the first failure" in str(warning.message)
