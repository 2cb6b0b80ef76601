"""Linux in a VM of ours or of QEMU's, for the benchmarks that compare the two: start it, read its console, end it.

They need hardware virtualization. On a machine without (or to measure on an equal footing anywhere) they run
themselves in tests/nested's box, a QEMU machine with a real kvm-amd: see ``in_box``.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nova_lite.hv import guests
from nova_lite.hv.vmm import bzimage, client, loader, tap
from nova_lite.hv.vmm.kernel_file import File
from nova_lite.hv.vmm.spawner import Spawner
from nova_lite.hv.vmm.unpack import unpack
from tests.nested import box, guest_initramfs, guest_kernel, kernels

MEMORY_MIB = 256
CMDLINE = "console=ttyS0 quiet panic=-1 nl.then=wait"
INIT_LINE, READY_LINE = b"nl: init", b"nl: ready"
PATIENCE = 120.0
MAC = "02:00:00:00:00:01"
WITHOUT_IO_URING = "nova-lite without io_uring"
#: name → how: ours as it starts a bzImage by itself or unpacked by us; QEMU's machines with bzImage or vmlinux (PVH).
NOVA_LITE = {"nova-lite": None, "nova-lite elf64": "elf64", WITHOUT_IO_URING: None}
QEMU_AIO = "native"
QEMU = {
    "microvm": ("microvm", False),
    "microvm rtc": ("microvm,rtc=on", False),
    "microvm vmlinux": ("microvm,rtc=on", True),
    "q35": ("q35", False),
}


@dataclass(frozen=True)
class Files:
    """What is booted, in memory, so that no VMM waits for a disk."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, modules: tuple[str, ...] = (), programs: Mapping[str, Path] | None = None) -> Files:
        files = cls(folder)
        shutil.copyfile(guest_kernel.kernel().vmlinuz, files.kernel)
        files.initramfs.write_bytes(guest_initramfs.contents(modules, programs))
        with open(files.kernel, "rb") as image:
            inner = bzimage.packed_kernel(File(image.fileno(), "vmlinuz"))
        files.vmlinux.write_bytes(unpack(inner, loader.UNPACKED_MAX_SIZE, "vmlinuz"))
        return files

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def vmlinux(self) -> Path:
        return self.folder / "vmlinux"

    @property
    def initramfs(self) -> Path:
        return self.folder / "initramfs"


class Console:
    """COM1's output, through a FIFO: it can be waited for."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path, self.text = path, b""
        self._fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)  # RDWR: a FIFO with no writer yet has no end

    def wait_for(self, line: bytes, after: bytes = b"") -> float:
        """When the line came (CLOCK_MONOTONIC); ``after``: where to look for it."""
        end = time.monotonic() + PATIENCE
        while line not in self.text.partition(after)[2] if after else line not in self.text:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._fd], [], [], left)[0]:
                raise RuntimeError(f"{line!r} did not come in {PATIENCE:g} s; the console's end: {self.text[-2000:]!r}")
            self.text += os.read(self._fd, 1 << 16)
        return time.monotonic()

    def close(self) -> None:
        os.close(self._fd)
        self.path.unlink()


@dataclass(frozen=True)
class Running:
    """A VM that was started at ``started``; its VMM was ready with its own work at ``handed_over`` (ours only)."""

    pid: int
    console: Console
    started: float
    handed_over: float | None = None
    api: Path | None = None

    def counters(self) -> dict[str, Any]:
        return {} if self.api is None else client.request(self.api, "GET", "vm.counters")


class Vmms:
    """Starts VMs by the names in NOVA_LITE and QEMU. Our VMMs are forked from a warm zygote, as the agent does it."""

    def __init__(
        self,
        files: Files,
        cmdline: str = CMDLINE,
        *,
        disk: Path | None = None,
        card: str | None = None,
        disks: Sequence[dict[str, Any]] = (),
    ) -> None:
        """``disk``: for ours and QEMU's alike; ``disks``: further ones of ours, as in a VmConfig."""
        self._files, self._cmdline, self._disk, self._tap, self._disks = files, cmdline, disk, card, disks
        self._spawner = Spawner(files.folder / "zygote.log")
        self._spawner.start()

    def close(self) -> None:
        self._spawner.close()

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[Running]:
        console = Console(self._files.folder / "console")
        try:
            with self._nova_lite(name, console) if name in NOVA_LITE else self._qemu(name, console) as running:
                yield running
        finally:
            console.close()

    @contextlib.contextmanager
    def idle(self, number: int) -> Iterator[None]:
        """A VM of ours whose small guest waits at its prompt."""
        config = {"payload": {"kernel": str(guests.INTERACTIVE)}, "memory": {"size": 16 << 20}}
        with self._forked(self._files.folder / f"idle{number}.sock", config):
            yield

    @contextlib.contextmanager
    def _forked(self, api: Path, config: dict[str, Any], fds: Sequence[int] = ()) -> Iterator[int]:
        """A VMM from the zygote: its process."""
        pid = self._spawner.spawn(api, "bench", config, fds).pid
        end = os.pidfd_open(pid)
        try:
            yield pid
        finally:
            signal.pidfd_send_signal(end, signal.SIGTERM)
            select.select([end], [], [], PATIENCE)
            os.close(end)

    @contextlib.contextmanager
    def _nova_lite(self, name: str, console: Console) -> Iterator[Running]:
        api = self._files.folder / "vmm.sock"
        payload = {"kernel": str(self._files.kernel), "initramfs": str(self._files.initramfs), "cmdline": self._cmdline}
        if NOVA_LITE[name]:
            payload["format"] = str(NOVA_LITE[name])
        config: dict[str, Any] = {
            "payload": payload,
            "memory": {"size": MEMORY_MIB << 20},
            "serial": {"mode": "File", "file": str(console.path)},
            "console": {"mode": "Off"},
        }
        if self._disk is not None:
            disk = {"path": str(self._disk), "direct": True, "disable_io_uring": name == WITHOUT_IO_URING}
            config["disks"] = [disk | {"image_type": "Raw"}]
        if self._disks:
            config["disks"] = [*config.get("disks", ()), *self._disks]
        with contextlib.ExitStack() as opened:
            fds: list[int] = []
            if self._tap is not None:  # as the agent does it: a VMM has no right to open one
                fds, _ = tap.open_tap(self._tap)
                for fd in fds:
                    opened.callback(os.close, fd)
                config["net"] = [{"mac": MAC, "num_queues": 2, "fds": [0]}]
            started = time.monotonic()
            pid = opened.enter_context(self._forked(api, config, fds))
            yield Running(pid, console, started, time.monotonic(), api)

    @contextlib.contextmanager
    def _qemu(self, name: str, console: Console) -> Iterator[Running]:
        machine, unpacked = QEMU[name]
        kernel = self._files.vmlinux if unpacked else self._files.kernel
        command = ["qemu-system-x86_64", "-M", f"{machine},accel=kvm", "-cpu", "host", "-m", str(MEMORY_MIB)]
        command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]
        command += ["-kernel", str(kernel), "-initrd", str(self._files.initramfs), "-append", self._cmdline]
        command += ["-chardev", f"file,id=console,path={console.path}", "-serial", "chardev:console"]
        if self._disk is not None:
            command += ["-drive", f"file={self._disk},if=none,id=disk,format=raw,cache=none,aio={QEMU_AIO}"]
            command += ["-device", "virtio-blk-pci,drive=disk"]
        if self._tap is not None:
            command += ["-netdev", f"tap,id=net,ifname={self._tap},script=no,downscript=no,vhost=off"]
            command += ["-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile="]
        started = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as qemu:
            try:
                yield Running(qemu.pid, console, started)
            finally:
                qemu.kill()


def modprobe(*words: str) -> None:
    subprocess.run([kernels.busybox(), "modprobe", *words], check=True)  # a small system may be without kmod


def ram_disk(mib: int) -> Path:
    """A block device in this host's memory (brd)."""
    modprobe("brd", "rd_nr=1", f"rd_size={mib << 10}")
    return Path("/dev/ram0")


class ProcessorTime:
    """Between two documents, the begin of something and its end (which has "clock"), what the box used, as "cpu"."""

    def __init__(self) -> None:
        self._began = 0.0

    def ended(self, document: dict[str, Any], cpu_seconds: float) -> bool:
        """Whether ``document`` is an end; "cpu" is in it then. ``cpu_seconds``: used so far."""
        if "clock" not in document:
            self._began = cpu_seconds
            return False
        document["cpu"] = cpu_seconds - self._began
        return True


def in_box(module: str, arguments: Sequence[str], found: Callable[[dict[str, Any], float], None]) -> int:
    """Run ``module --here --raw`` in a box; each line of JSON that it prints goes to ``found``, with a time.

    That is the processor time the box has used so far: the emulator's work, which other load on this machine does not
    change as it does the clock's. Exit code of the program; 3 where no box can be had.
    """
    reason = box.missing()
    if reason:
        print(f"{module}: no box: {reason}", file=sys.stderr)
        return 3
    guest_kernel.kernel()  # fetched here: a box has no network
    command = [sys.executable, "-m", module, "--here", "--raw", *arguments]
    settings = box.Settings(timeout=1800, workdir=Path(__file__).resolve().parents[1])
    unfinished = b""

    def take(data: bytes) -> None:
        nonlocal unfinished
        *lines, unfinished = (unfinished + data).split(b"\n")
        for line in lines:
            found(json.loads(line), _children_seconds())

    def complain(data: bytes) -> None:
        os.write(2, data)

    try:
        return box.run(command, settings, take, complain)
    except box.BoxError as error:
        print(f"{module}: {error}\n{error.console[-2000:]}", file=sys.stderr)
        return 3


def _children_seconds() -> float:
    """Processor time of our only living child, the box."""
    total = 0
    for task in Path("/proc/self/task").glob("*/children"):
        for pid in task.read_text().split():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])  # utime, stime: proc(5) counts from the state
    return total / os.sysconf("SC_CLK_TCK")
