"""The PCI bus and the virtio devices without KVM, built with sanitizers: sound drivers and hostile ones."""

from __future__ import annotations

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

import nova_lite

ROOT = Path(nova_lite.__file__).parents[1]
NATIVE = ROOT / "nova_lite/hv/native"
FUZZ = ROOT / "fuzz"
DRIVER = Path(__file__).with_name("virtio_driver.c")
DRIVERS = sorted(DRIVER.parent.glob("virtio_driver*.c"))
TESTS = re.findall(r'^    \{"(\w+)", test_\w+\},$', DRIVER.read_text(), re.MULTILINE)

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Path:
    program = tmp_path_factory.mktemp("virtio") / "driver"
    sources = [NATIVE / name for name in runpy.run_path(str(NATIVE / "build.py"))["DEVICE_CORE"]]
    flags = ["-std=gnu11", "-g", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-pthread"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = ["gcc", *flags, *sanitizers, f"-I{NATIVE}", f"-I{FUZZ}", "-o", program, *DRIVERS, FUZZ / "fake_machine.c"]
    subprocess.run([*command, *sources], check=True)
    return program


@pytest.mark.parametrize("name", TESTS)
def test_virtio_core(driver, name):
    done = subprocess.run([driver, name], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_there_are_tests():
    assert len(TESTS) >= 9
