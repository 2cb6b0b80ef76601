"""The samples in etc/ are what the code says today; `make sample-config` writes them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    ("tool", "sample"),
    [("oslo-config-generator", "nova-lite.conf"), ("oslopolicy-sample-generator", "policy.yaml")],
)
def test_sample_is_current(tool: str, sample: str, tmp_path: Path) -> None:
    fresh = tmp_path / sample
    subprocess.run([BIN / tool, "--namespace", "nova_lite", "--output-file", fresh], check=True, capture_output=True)
    assert (ROOT / "etc" / sample).read_text() == fresh.read_text(), f"etc/{sample} is old: run `make sample-config`"


@pytest.mark.parametrize("sample", ["nova-lite.conf", "policy.yaml"])
def test_every_line_of_a_sample_is_a_comment(sample: str) -> None:
    lines = (ROOT / "etc" / sample).read_text().splitlines()
    assert [line for line in lines if line.strip() and not line.startswith(("#", "["))] == []
