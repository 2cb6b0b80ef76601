"""pytest plugin inside a box: each report as a line of JSON on standard output, for conftest.py outside."""

from __future__ import annotations

import json
import os

import pytest

_OUT = os.dup(1)  # before pytest captures it


class _Reports:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config

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


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(_Reports(config))
