"""The fuzzers' seeds and former findings, and a few seconds of new ones: ``make fuzz`` is the long run."""

from __future__ import annotations

import runpy
import shutil
from pathlib import Path

import pytest

import nova_lite

FUZZ = runpy.run_path(str(Path(nova_lite.__file__).parents[1] / "fuzz" / "run.py"))

pytestmark = pytest.mark.skipif(shutil.which("clang") is None, reason="this host has no clang")


@pytest.fixture(scope="module")
def fuzzer(tmp_path_factory) -> Path:
    return FUZZ["build"](tmp_path_factory.mktemp("fuzz"))


@pytest.mark.parametrize("kind", FUZZ["KINDS"])
def test_no_guest_breaks_a_device(fuzzer, kind):
    assert FUZZ["run"](fuzzer, kind, 0) == 0
    assert FUZZ["run"](fuzzer, kind, 3) == 0
