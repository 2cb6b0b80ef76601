"""Tests in inside/ run in a box: one box for all that were chosen of a file, each test reported as if run here."""

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
#: For boot and all tests of a file.
PATIENCE = 300.0
INSIDE_VARIABLE = "NOVA_LITE_INSIDE_A_BOX"
#: Other plugins cost the box several seconds of imports.
ENVIRONMENT = {INSIDE_VARIABLE: "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
_REPORTS = pytest.StashKey[dict[Path, dict[str, list[pytest.TestReport]]]]()


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
        if INSIDE in item.path.parents:  # the first of a file waits for the whole file
            item.add_marker(pytest.mark.timeout((_settings(item).timeout or PATIENCE) + 60))


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


def _run(command: list[str], settings: box.Settings) -> tuple[bytearray, bytearray, str]:
    """What it wrote to standard output and error, and how it ended. Raises ``BoxLockup``."""
    out, err = bytearray(), bytearray()
    try:
        trouble = f"pytest in the box ended with {box.run(command, settings, out.extend, err.extend)}"
    except box.BoxLockup:
        raise
    except box.BoxError as error:
        trouble = f"{error}\n{error.console}"
    return out, err, trouble


def _reports(items: list[pytest.Item]) -> dict[str, list[pytest.TestReport]]:
    """Run ``items`` of one file in a box; their reports by node id. The box's own time is counted to the first."""
    config, began = items[0].config, time.monotonic()
    plugins = ("-p", "tests.nested.box_reports", "-p", "pytest_timeout", "-p", "no:terminal", "-p", "no:cacheprovider")
    options = ("-o", "addopts=--strict-markers")
    command = [sys.executable, "-m", "pytest", *plugins, *options, *(item.nodeid for item in items)]
    try:
        out, err, trouble = _run(command, _settings(items[0]))
    except box.BoxLockup:
        warnings.warn(f"{items[0].path.name}: the box's kernel locked up; a second box was used", stacklevel=1)
        try:
            out, err, trouble = _run(command, _settings(items[0]))
        except box.BoxLockup as error:
            out, err, trouble = bytearray(), bytearray(), f"twice: {error}\n{error.console}"
    reports: dict[str, list[pytest.TestReport]] = {item.nodeid: [] for item in items}
    for line in out.splitlines():
        if line.endswith(b"}"):
            report = config.hook.pytest_report_from_serializable(config=config, data=json.loads(line))
            reports[report.nodeid].append(report)
    for item in items:
        if not any(report.when == "teardown" for report in reports[item.nodeid]):
            text = f"{trouble}\n{err.decode(errors='replace')}"
            lost = pytest.TestReport(item.nodeid, item.location, {}, "failed", text, "call")
            reports[item.nodeid].append(lost)
    told = [report for ofitem in reports.values() for report in ofitem]
    told[0].duration += max(0.0, time.monotonic() - began - sum(report.duration for report in told))
    return reports
