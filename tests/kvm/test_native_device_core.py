"""The device core without KVM, built with sanitizers: known register sequences and many random ones."""

from __future__ import annotations

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

import nova_lite
from nova_lite.hv import console_log

NATIVE = Path(nova_lite.__file__).parent / "hv" / "native"
BUILD = runpy.run_path(str(NATIVE / "build.py"))

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Path:
    program = tmp_path_factory.mktemp("driver") / "driver"
    sources = [NATIVE / name for name in BUILD["DEVICE_CORE"]]
    flags = ["-std=gnu11", "-g", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-pthread"]
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = ["gcc", *flags, *sanitizers, f"-I{NATIVE}", "-o", program]
    subprocess.run([*command, Path(__file__).with_name("device_core_driver.c"), *sources], check=True)
    return program


@pytest.mark.parametrize("seed", range(1, 5))
def test_no_sequence_of_accesses_breaks_the_device_core(driver, tmp_path, seed):
    log = tmp_path / "console.log"
    console_log.create(log, 4096)
    done = subprocess.run([driver, log, str(seed), "100000"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    console_bytes, ends = map(int, done.stdout.split())
    assert console_bytes > 4096 and ends > 0
    assert len(console_log.read_tail(log, 1 << 20)) == 4096


def test_the_device_core_knows_no_kvm():
    for name in BUILD["DEVICE_CORE"]:
        command = ["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-MM", f"-I{NATIVE}", NATIVE / name]
        headers = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "kvm" not in headers.replace(str(NATIVE), ""), name
        assert "machine.h" not in headers, name


@pytest.mark.parametrize("part", ["DEVICE_CORE", "KVM_PART"])
def test_every_c_file_compiles_without_a_warning(part):
    sources = [str(NATIVE / name) for name in BUILD[part]]
    command = ["gcc", *BUILD["COMPILE_ARGS"], "-Werror", f"-I{NATIVE}", "-fsyntax-only", *sources]
    subprocess.run(command, check=True)


def test_every_c_file_is_built():
    found = {path.relative_to(NATIVE).as_posix() for path in NATIVE.rglob("*.c")}
    assert found - {"_kvm.c"} == {*BUILD["DEVICE_CORE"], *BUILD["KVM_PART"]}
