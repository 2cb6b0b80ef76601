"""Copy-on-write overlays: the backend under sanitizers, through power cuts and kills; and in a VmConfig."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

import nova_lite
from nova_lite.disks import overlay
from nova_lite.hv.native.machine import Machine
from nova_lite.hv.vmm import config, devices
from nova_lite.hv.vmm.errors import ConfigError, VmmError

NATIVE = Path(nova_lite.__file__).parent / "hv/native"
DRIVER = Path(__file__).with_name("overlay_driver.c")
SOURCES = [DRIVER, NATIVE / "virtio/block_overlay.c", NATIVE / "virtio/block_file.c"]
SIZE = 1 << 20

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="this host has no gcc")


def build(folder: Path, sanitizers: str) -> Path:
    flags = ["-std=gnu11", "-g", "-O1", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-pthread", f"-I{NATIVE}"]
    flags += [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"]
    flags += [f"-Wl,--wrap={name}" for name in ("fdatasync", "pwritev", "fallocate")]
    subprocess.run(["gcc", *flags, "-o", folder / "driver", *SOURCES], check=True)
    return folder / "driver"


@pytest.fixture(scope="module", name="driver")
def _driver(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("address"), "address,undefined")


@needs_gcc
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mode", ["model", "power_cut", "race"])
def test_what_is_read_is_what_was_written(driver, tmp_path, mode, seed):
    files = [tmp_path / name for name in ("overlay", "base", "ledger")]
    done = subprocess.run([driver, mode, *files, str(seed)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


@needs_gcc
def test_a_vmm_killed_at_any_time_leaves_each_block_old_or_new_and_what_was_flushed_new(driver, tmp_path):
    kill_again_and_again(driver, tmp_path, 25)


@needs_gcc
def test_threads_at_one_overlay_race_for_nothing_but_the_guests_own_bytes(tmp_path):
    kill_again_and_again(build(tmp_path, "thread"), tmp_path, 3)


def kill_again_and_again(driver: Path, folder: Path, rounds: int) -> None:
    """Four threads write over one overlay, one life of the process after the other."""
    path, base, ledger = (folder / name for name in ("overlay", "base", "ledger"))
    pause = random.Random(4)  # the same moments every time, as far as a clock can
    first = [driver, "verify", "/dev/null", base, ledger, "0"]
    subprocess.run(first, capture_output=True, check=False)  # makes the base; there is no overlay yet
    overlay.create(path, SIZE, base)
    for life in range(1, rounds + 1):
        arguments = [driver, "write", path, base, ledger, str(life)]
        environment = os.environ | {"TSAN_OPTIONS": "halt_on_error=1"}
        with subprocess.Popen(arguments, stdout=-1, stderr=-1, env=environment) as process:
            assert process.stdout is not None and process.stderr is not None
            assert process.stdout.readline() == b"writing\n", process.stderr.read()
            time.sleep(pause.random() / 10)  # the test is about the moment of the kill, not a wait
            assert process.poll() is None, process.stderr.read()
            process.kill()
        done = subprocess.run([driver, "verify", path, base, ledger, "0"], capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        with overlay.open_view(path, base) as view:
            view.usage()
    with overlay.open_view(path, base) as view:
        assert view.usage().written > 0


@pytest.fixture(name="base")
def _base(tmp_path) -> Path:
    base = tmp_path / "base"
    base.write_bytes(b"base" * 5000)
    return base


def add(machine: Machine, **disk: object) -> None:
    given = config.parse({"payload": {"kernel": "/kernel"}, "disks": [{"image_type": "Overlay"} | disk]})
    devices.add_all(machine, given.document)


@pytest.mark.parametrize("direct", [False, True])
def test_machines_share_a_base_but_no_overlay(tmp_path, base, direct):
    files = [tmp_path / "first", tmp_path / "second"]
    for path in files:
        overlay.create(path, SIZE, base)
    with Machine(1 << 20, 1, None, 0) as one, Machine(1 << 20, 1, None, 0) as two:
        add(one, path=str(files[0]), backing_file=str(base), direct=direct)
        add(two, path=str(files[1]), backing_file=str(base), direct=direct)
        assert one.counters()["_disk0"]["read_ops"] == 0
        with Machine(1 << 20, 1, None, 0) as three, pytest.raises(VmmError) as caught:
            add(three, path=str(files[0]), backing_file=str(base))
        assert caught.value.chain[1] == "disks.0.path: is in use by another machine"
        with pytest.raises(overlay.OverlayError, match="in use"), overlay.open_view(files[0], base):
            pass


def test_what_is_no_sound_overlay_is_refused_by_name(tmp_path, base):
    path, other, alone = tmp_path / "overlay", tmp_path / "other", tmp_path / "alone"
    overlay.create(path, SIZE, base)
    overlay.create(alone, SIZE)
    other.write_bytes(b"esab" * 5000)
    cut = tmp_path / "cut"
    cut.write_bytes(path.read_bytes()[:70000])
    damaged = tmp_path / "damaged"
    damaged.write_bytes(path.read_bytes().replace(b"NLOVRLAY\1", b"NLOVRLAY\2"))
    tries = [
        ({"path": path}, "backing_file", "needs its base"),
        ({"path": path, "backing_file": other}, "backing_file", "is another one, or was written to"),
        ({"path": path, "backing_file": cut}, "backing_file", "has 70000 bytes; it had 20000"),
        ({"path": path, "backing_file": "/nonexistent"}, "backing_file", "No such file or directory"),
        ({"path": alone, "backing_file": base}, "backing_file", "has no base"),
        ({"path": base, "backing_file": base}, "path", "is not an overlay"),
        ({"path": cut, "backing_file": base}, "path", "was cut off"),
        ({"path": damaged, "backing_file": base}, "path", "is damaged"),
        ({"path": path, "image_type": "Unknown"}, "path", 'is an overlay; say image_type "Overlay"'),
    ]
    for disk, key, reason in tries:
        with Machine(1 << 20, 1, None, 0) as machine, pytest.raises(VmmError) as caught:
            add(machine, **{name: str(value) for name, value in disk.items()})
        assert caught.value.chain[1].startswith(f"disks.0.{key}: ") and reason in caught.value.chain[1]
    for disk in ({"path": "/a", "backing_file": "/b", "image_type": "Raw"}, {"path": "/a", "backing_file": "b"}):
        with pytest.raises(ConfigError) as refused:
            config.parse({"payload": {"kernel": "/kernel"}, "disks": [disk]})
        assert "disks.0.backing_file" in refused.value.chain[1]
