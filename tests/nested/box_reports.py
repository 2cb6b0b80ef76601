"""pytest plugin inside a box: each report as a line of JSON on standard output, for conftest.py outside.

A test that comes to no end within ``DEADLINE`` (or what its ``timeout`` mark says) fails where it stands; of one that
fails its report tells what all threads were doing then and what the box's kernel said last.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from types import FrameType

import pytest

_OUT = os.dup(1)  # before pytest captures it
_ERR = os.dup(2)
#: Seconds for a test. Each wait in it is bounded by 300 s, and says more when it fails.
DEADLINE = 400
#: Further seconds for one that does not even come to that; then the whole box is given up.
_GRACE = 60


class _Reports:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        with _deadline(item):
            yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        with _deadline(item):
            yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        with _deadline(item):
            yield

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.failed:
            kernel = subprocess.run(["dmesg"], capture_output=True, text=True, errors="replace", check=False).stdout
            report.sections.append(("the box's kernel", "".join(kernel.splitlines(keepends=True)[-40:])))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._write(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            os.write(2, f"{report.longreprtext}\n".encode())

    def _write(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        line = json.dumps(data).encode() + b"\n"
        while line:
            line = line[os.write(_OUT, line) :]


@contextmanager
def _deadline(item: pytest.Item) -> Iterator[None]:
    mark = item.get_closest_marker("timeout")
    seconds = int(mark.args[0]) if mark else DEADLINE

    def end(_number: int, _frame: FrameType | None) -> None:
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        stacks = [
            f"thread {names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
            for ident, frame in sys._current_frames().items()
        ]
        pytest.fail("\n".join([f"no end after {seconds} s", *stacks]))

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    faulthandler.dump_traceback_later(seconds + _GRACE, file=_ERR, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "timeout(seconds): in place of DEADLINE")
    config.pluginmanager.register(_Reports(config))
