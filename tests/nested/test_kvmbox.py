"""kvmbox as a program: exit codes, separate outputs, variables, shares, timeout, crashes, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.nested import box, cpio, guest_initramfs, guest_kernel, kernels

KVMBOX = Path(__file__).with_name("kvmbox")
pytestmark = pytest.mark.usefixtures("boxes")


def kvmbox(*words: object, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, str(KVMBOX), *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, check=False, **options)


def qemus_below(process: int) -> list[int]:
    """QEMUs whose parent is ``process``."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(word) for word in found if Path(f"/proc/{word}/comm").read_text().startswith("qemu")]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(process: int) -> None:
    end = time.monotonic() + 30
    while alive(process):
        assert time.monotonic() < end, f"process {process} is still there"
        time.sleep(0.05)


def test_output_exit_code_variables_and_shares_pass_through(tmp_path):
    script = """
        echo out; echo err >&2; echo reopened >/dev/stderr
        echo "$GIVEN $TAKEN"; pwd
        echo lost >"$1/../lost"; echo kept >"$1/kept"
        head -c 300000 /dev/zero
        sleep 1000 &
        exit 7
    """
    share = tmp_path / "shared folder"
    share.mkdir()
    options = ["--share", share, "--workdir", tmp_path, "--env", "GIVEN=a 'b'", "--env", "TAKEN"]
    done = kvmbox(*options, "sh", "-c", script, "sh", share, env={**os.environ, "TAKEN": "from outside"})
    assert done.returncode == 7, done.stderr
    text, zeros = done.stdout.split(b"\0", 1)
    assert text.decode() == f"out\na 'b' from outside\n{tmp_path}\n"
    assert len(zeros) == 299_999
    assert done.stderr == b"err\nreopened\n"
    assert (share / "kept").read_text() == "kept\n"
    assert not (tmp_path / "lost").exists()


def test_a_command_in_time_or_not_at_all():
    began = time.monotonic()
    done = kvmbox("--timeout", 1, "true")
    assert done.returncode == 124
    assert b"kvmbox: no end after 1 s" in done.stderr
    assert time.monotonic() - began < 30


def test_a_panic_is_told_with_the_consoles_last_words():
    done = kvmbox("sh", "-c", "echo before; echo c >/proc/sysrq-trigger; sleep 1000")
    assert done.returncode == 125
    assert done.stdout == b"before\n"
    assert b"sysrq_handle_crash" in done.stderr
    assert b"kvmbox: the box ended before the command did (Kernel panic - not syncing: sysrq" in done.stderr


def test_a_locked_up_kernel_of_the_box_is_told_from_a_slow_one():
    lockup = "echo '<0>watchdog: BUG: soft lockup - CPU#0 stuck for {}s! [sh:1]' >/dev/kmsg; {}"
    slow = kvmbox("sh", "-c", lockup.format(26, "exit 3"))
    assert slow.returncode == 3, slow.stderr
    stuck = kvmbox("--timeout", 120, "sh", "-c", lockup.format(75, "sleep 1000"))
    assert stuck.returncode == 125
    assert b"the box's own kernel locked up" in stuck.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)])
def test_qemu_ends_with_kvmbox(number: signal.Signals, code: int):
    command = [
        "env",
        "--default-signal=INT",
        sys.executable,
        KVMBOX,
        "sleep",
        "1000",
    ]  # a shell's background job ignores it
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        end = time.monotonic() + 60
        while not qemus_below(process.pid):
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        (qemu,) = qemus_below(process.pid)
        process.send_signal(number)
        assert process.wait(30) == code
    wait_until_gone(qemu)


def test_wrong_use_is_refused_by_name(tmp_path):
    for words, said in (
        ([], b"no command"),
        (["--share", tmp_path / "none", "true"], b"is not a folder"),
        (["--env", "SURELY_NOT_SET", "true"], b"SURELY_NOT_SET is not set here"),
        (["--memory", "0", "true"], b"--memory"),
    ):
        done = kvmbox(*words)
        assert done.returncode == 2 and said in done.stderr


def test_without_qemu_or_packages_it_says_what_to_do(tmp_path):
    here = {**os.environ, "PATH": str(tmp_path), "NOVA_LITE_KVMBOX_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, str(KVMBOX), "true"]
    done = subprocess.run(command, capture_output=True, env=here, check=False)
    assert done.returncode == 125 and b"--prepare" in done.stderr
    (tmp_path / box.QEMU).symlink_to("/bin/true")
    done = subprocess.run(command, capture_output=True, env=here, check=False)
    assert done.returncode == 125 and b"apt-cache is not here" in done.stderr


# -- the guests' kernel and initramfs ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guest_image(boxes: None, tmp_path_factory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("guest") / "initramfs"
    path.write_bytes(guest_initramfs.contents(("virtio_pci", "virtio-rng"), {"etc/greeting": b"good day\n"}))
    yield path


def test_the_guest_initramfs_does_what_the_command_line_says(guest_image):
    """On QEMU itself: what is wrong here is not our VMM's."""
    asked = guest_initramfs.command_line("cat /etc/greeting; head -c 8 /dev/hwrng | wc -c; exit 3", "poweroff")
    command = [box.QEMU, "-accel", "tcg", "-m", "256", "-nodefaults", "-display", "none", "-no-reboot"]
    command += ["-serial", "stdio", "-device", "virtio-rng-pci", "-kernel", str(guest_kernel.kernel().vmlinuz)]
    command += ["-initrd", str(guest_image), "-append", f"console=ttyS0 quiet panic=-1 {asked}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=100)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("[")]
    assert lines == ["nl: init", "nl: ready", "good day", "8", "nl: exit 3"]


def test_modules_come_after_what_they_need(boxes):
    names = [file.name for file in guest_kernel.kernel().load_order(("virtio_blk", "virtio-net"))]
    assert names.index("virtio_ring.ko") < names.index("virtio.ko") < names.index("virtio_blk.ko")
    assert names.index("net_failover.ko") < names.index("virtio_net.ko")
    assert len(set(names)) == len(names)
    with pytest.raises(KeyError, match="no module surely_not"):
        guest_kernel.kernel().load_order(("surely-not",))


@pytest.mark.parametrize("run", ["", 'say "this"', "two\nlines"])
def test_a_command_that_the_command_line_cannot_carry_is_refused(run):
    with pytest.raises(ValueError, match="nl.run"):
        guest_initramfs.command_line(run)


def test_the_archive_is_one_that_cpio_reads(tmp_path, boxes):
    archive = cpio.Archive()
    archive.file("a/b/c", b"12345", 0o640)
    archive.symlink("a/link", "b/c")
    archive.folder("empty")
    listed = subprocess.run(
        [kernels.busybox(), "cpio", "-tv"],
        input=archive.finished(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    names = [line.split(None, 5)[-1] for line in listed.splitlines()]
    assert len(names) == 5 and any("a/link -> b/c" in name for name in names)
    assert "-rw-r-----" in listed
