"""oslo.policy's own command line tools work on our rules, through the entry points of setup.cfg."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

SHOW = "os_compute_api:servers:show"
DELETE = "os_compute_api:servers:delete"


def _tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "policy.yaml").write_text(f'"{SHOW}": "rule:project_reader_or_admin"\n"{DELETE}": "role:nobody"\n')
    path = tmp_path / "nova-lite.conf"
    path.write_text(f"[oslo_policy]\npolicy_file = {tmp_path}/policy.yaml\n")
    return path


def test_the_sample_names_every_rule_commented_out() -> None:
    made = _tool("oslopolicy-sample-generator", "--namespace", "nova_lite")
    assert made.returncode == 0
    assert f'#"{DELETE}": "rule:project_member_or_admin"' in made.stdout
    assert yaml.safe_load(made.stdout) is None


def test_redundant_overrides_are_listed(config: Path) -> None:
    made = _tool("oslopolicy-list-redundant", "--namespace", "nova_lite", "--config-file", str(config))
    assert made.returncode == 0
    assert SHOW in made.stdout and DELETE not in made.stdout


def test_the_merged_rules_can_be_checked_for_a_caller(config: Path, tmp_path: Path) -> None:
    merged, access = tmp_path / "merged.yaml", tmp_path / "access.json"
    arguments = ("--namespace", "nova_lite", "--config-file", str(config), "--output-file", str(merged))
    assert _tool("oslopolicy-policy-generator", *arguments).returncode == 0
    caller = {"user": {"id": "u1"}, "project": {"id": "p1"}, "roles": [{"name": "reader"}]}
    access.write_text(json.dumps({"token": caller}))
    made = _tool("oslopolicy-checker", "--policy", str(merged), "--access", str(access))
    assert f"passed: {SHOW}" in made.stdout
    assert f"failed: {DELETE}" in made.stdout


def test_the_validator_accepts_good_files_and_finds_typos(config: Path) -> None:
    arguments = ("--namespace", "nova_lite", "--config-file", str(config))
    assert _tool("oslopolicy-validator", *arguments).returncode == 0
    (config.parent / "policy.yaml").write_text('"os_compute_api:servers:shwo": "role:nobody"\n')
    assert _tool("oslopolicy-validator", *arguments).returncode != 0
