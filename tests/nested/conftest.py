"""Tests in inside/ run in a box: one box for all that were chosen of a file, each test reported as if run here.

What did not pass there is run once more in a second box, with a warning that tells of the first: the emulation has been
seen to corrupt the box's kernel and to lock it up. A fault of ours that comes each time fails both times; for one that
comes now and then, the warning is all there is.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from tests.nested import box

INSIDE = Path(__file__).parent / "inside"
ROOT = Path(__file__).resolve().parents[2]
#: For boot and all tests of a file; a single one has ``box_reports.DEADLINE``.
PATIENCE = 600.0
#: Of a first failure, in the warning.
_LINES = 60
INSIDE_VARIABLE = "NOVA_LITE_INSIDE_A_BOX"
#: State folder with a Debian made by `nova-lite image build debian`: `make test-debian` sets it.
DEBIAN_STATE = "NOVA_LITE_DEBIAN_STATE"
collect_ignore = [] if os.environ.get(DEBIAN_STATE) else ["inside/test_debian_image.py"]
#: Other plugins cost the box several seconds of imports.
ENVIRONMENT = {INSIDE_VARIABLE: "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
_Reports = dict[str, list[pytest.TestReport]]
_REPORTS = pytest.StashKey[dict[Path, _Reports]]()


@pytest.fixture(scope="session")
def boxes() -> None:
    """Skips where no box can be had."""
    reason = box.missing()
    if reason:
        pytest.skip(f"no box: {reason}")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if INSIDE_VARIABLE in os.environ:
        return
    for item in items:
        if INSIDE in item.path.parents:  # the first of a file waits for the whole file, and for the second box
            item.add_marker(pytest.mark.timeout(2 * (_settings(item).timeout or PATIENCE) + 60))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    if INSIDE_VARIABLE in os.environ or INSIDE not in item.path.parents:
        return None
    reason = box.missing()
    if reason:
        item.add_marker(pytest.mark.skip(reason=f"no box: {reason}"))
        return None
    found = item.config.stash.setdefault(_REPORTS, {})
    if item.path not in found:
        chosen = [other for other in item.session.items if other.path == item.path]
        found[item.path] = _reports(chosen)
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in found[item.path][item.nodeid]:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _settings(item: pytest.Item) -> box.Settings:
    module = item.getparent(pytest.Module)
    usual = box.Settings(workdir=ROOT, timeout=PATIENCE, environment=ENVIRONMENT)
    return replace(usual, **getattr(module and module.obj, "BOX", {}))


def _in_a_box(items: list[pytest.Item]) -> _Reports:
    """Run ``items`` of one file in a box; their reports by node id. One that came to no end is told to have failed."""
    config, settings = items[0].config, _settings(items[0])
    plugins = ("-p", "tests.nested.box_reports", "-p", "no:terminal", "-p", "no:cacheprovider")
    options = ("-o", "addopts=--strict-markers")
    command = [sys.executable, "-m", "pytest", *plugins, *options, *(item.nodeid for item in items)]
    out, err = bytearray(), bytearray()
    try:
        trouble = f"pytest in the box ended with {box.run(command, settings, out.extend, err.extend)}"
    except box.BoxError as error:
        trouble = f"{error}\n{error.console}"
    reports: _Reports = {item.nodeid: [] for item in items}
    for line in out.splitlines():
        if line.endswith(b"}"):
            report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
            if isinstance(report.longrepr, list):  # JSON has no tuples, and of a skip pytest expects one
                report.longrepr = tuple(report.longrepr)
            reports[report.nodeid].append(report)
    for item in items:
        if not any(report.when == "teardown" for report in reports[item.nodeid]):
            text = f"{trouble}\n{err.decode(errors='replace')}"
            lost = pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")
            reports[item.nodeid].append(lost)
    return reports


def _reports(items: list[pytest.Item]) -> _Reports:
    """Of the first box, or of the second for what failed in the first. The time of both goes to the first test."""
    began = time.monotonic()
    reports = _in_a_box(items)
    failed = {
        item: [report for report in reports[item.nodeid] if report.failed]
        for item in items
        if any(report.failed for report in reports[item.nodeid])
    }
    if failed:
        (first, *_), (item, *_) = next(iter(failed.values())), failed
        words = [first.longreprtext, *(f"{title}:\n{text}" for title, text in first.sections)]
        last = "\n".join("\n".join(words).splitlines()[-_LINES:])
        names = ", ".join(item.name for item in failed)
        warnings.warn(f"{item.path.name}: run again in a second box: {names}. The first said:\n{last}", stacklevel=1)
        reports |= _in_a_box(list(failed))
    told = [report for ofitem in reports.values() for report in ofitem]
    told[0].duration += max(0.0, time.monotonic() - began - sum(report.duration for report in told))
    return reports
