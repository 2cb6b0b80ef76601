"""Runs a command in a box: a QEMU machine whose emulated processor has SVM, so that its kernel has a real kvm-amd.

The box's root folder is this machine's, read-only below an overlay in the box's memory. Kernel and modules come from
Debian's package, unpacked in the cache folder; the initramfs is put together for each run, in memory. README.md has
the whole picture.
"""

from __future__ import annotations

import ctypes
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.nested import cpio, kernels
from tests.nested.packages import Unavailable

QEMU = "qemu-system-x86_64"
KERNEL_PACKAGE = "linux-image-amd64"  # the cloud one has no 9p
# Less what TCG lacks of an EPYC: it would say so for each processor.
LACKING = ("rdseed", "sha-ni", "fxsr-opt", "misalignsse", "3dnowprefetch", "osvw", "topoext", "nrip-save", "xsavec")
PROCESSOR = ",".join(["EPYC", "+svm", "+npt", *(f"-{feature}" for feature in LACKING)])
MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay", "kvm-amd", "tun", "bridge")
FOLDER = Path(__file__).parent
CONSOLE_KEPT = 1 << 16
PR_SET_PDEATHSIG = 1
#: By its source QEMU can lose an interrupt of the box that arrives while a processor leaves a nested guest: helpers
#: for SVM change the processor's pending interrupts without a lock. A processor that sleeps until its next timer, as
#: Linux likes to, then sleeps for ever. One whose timer ticks by itself finds at the next tick what it has missed.
TICKING = "nohz=off highres=off"
#: What the kernel says of a processor that no longer schedules, and for how long before we believe it: a busy machine
#: starves the box for seconds, never for minutes.
LOCKUP = re.compile(rb"soft lockup - CPU#\d+ stuck for (\d+)s")
LOCKUP_SECONDS = 60


class BoxError(Exception):
    """The box did not get the command to its end. ``console`` is what its kernel said last."""

    def __init__(self, message: str, console: str = "") -> None:
        super().__init__(message)
        self.console = console


class BoxTimeout(BoxError):
    """The command had not ended in the time it was given."""


class BoxFault(BoxError):
    """The box itself failed. Tests in it do not bring that about (the emulation does), so they may be run again."""


class BoxLockup(BoxFault):
    """The box's own kernel stopped scheduling, as seen now and then on a busy machine."""


class BoxPanic(BoxFault):
    """The box's own kernel panicked; seen: "corrupted stack end", with a guest of two instructions in it."""


@dataclass(frozen=True)
class Settings:
    """How a box is made. ``environment`` is all the command gets besides PATH, HOME, LANG and TERM."""

    memory: int = 3072
    cpus: int = 1  # more of them race with each other in the emulator (README.md)
    timeout: float | None = 600
    workdir: Path = field(default_factory=Path.cwd)
    environment: Mapping[str, str] = field(default_factory=dict)
    shares: Sequence[Path] = ()


Sink = Callable[[bytes], None]


def missing() -> str | None:
    """Why no box can be had here, or None. Fetches the kernel when only that is missing."""
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed (`tests/nested/kvmbox --prepare` does it as root)"
    try:
        kernels.debian(KERNEL_PACKAGE)
        kernels.busybox()
    except Unavailable as error:
        return str(error)
    return None


def run(command: Sequence[str], settings: Settings, stdout: Sink, stderr: Sink, console: Sink | None = None) -> int:
    """Run ``command`` in a new box; its exit code. Output goes to the sinks as it comes, each from a thread of its own.

    Raises ``BoxTimeout``, ``BoxLockup``, ``BoxPanic``, ``BoxError`` (the box crashed or did not come up) or
    ``Unavailable``. QEMU is gone at the end in any case, also when this process is killed.
    """
    if shutil.which(QEMU) is None:
        raise Unavailable(f"{QEMU} is not installed; `tests/nested/kvmbox --prepare` does it as root")
    kernel = kernels.debian(KERNEL_PACKAGE)
    said, status = bytearray(), bytearray()
    locked_up = threading.Event()

    def keep(data: bytes) -> None:
        said.extend(data)
        del said[:-CONSOLE_KEPT]
        if any(int(seconds) >= LOCKUP_SECONDS for seconds in LOCKUP.findall(said)):
            locked_up.set()
            qemu.kill()
        if console is not None:
            console(data)

    initrd = os.memfd_create("initramfs")
    pumps: list[_Pump] = []
    try:
        with open(initrd, "wb", closefd=False) as file:
            file.write(_initramfs(kernel, command, settings))
        pumps = [_Pump(sink) for sink in (stdout, stderr, status.extend, keep)]
        fds = [initrd, *(pump.write_fd for pump in pumps)]
        arguments = _qemu(kernel, settings, initrd, *fds[1:])
        # Its own session: the terminal's Ctrl-C is for us, and we end QEMU.
        qemu = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=pumps[3].write_fd,
            stderr=pumps[3].write_fd,
            pass_fds=fds,
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )
        try:
            for pump in pumps:
                pump.start()
            qemu.wait(settings.timeout)
        except subprocess.TimeoutExpired:
            raise BoxTimeout(f"no end after {settings.timeout:g} s", _text(said)) from None
        finally:
            qemu.kill()
            qemu.wait()
            for pump in pumps:
                pump.finish()
    finally:
        for pump in pumps:
            pump.close()
        os.close(initrd)
    if locked_up.is_set():
        raise BoxLockup("the box's own kernel locked up", _text(said))
    words = status.split()
    if len(words) == 2 and words[0] == b"exit":
        return int(words[1])
    panic = re.search(r"Kernel panic - .*", _text(said))
    if panic:
        raise BoxPanic(f"the box ended before the command did ({panic[0]})", _text(said))
    raise BoxError(f"the box ended before the command did (QEMU's exit code {qemu.returncode})", _text(said))


class _Pump:
    """Carries what arrives in a pipe to a sink, in a thread of its own."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._read_fd, self.write_fd = os.pipe2(os.O_CLOEXEC)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._writing = True

    def start(self) -> None:
        """The writing end is QEMU's alone from now on."""
        self._drop_writer()
        self._thread.start()

    def finish(self) -> None:
        """All that QEMU wrote has reached the sink when this returns."""
        if self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        self._drop_writer()
        os.close(self._read_fd)

    def _drop_writer(self) -> None:
        if self._writing:
            self._writing = False
            os.close(self.write_fd)

    def _run(self) -> None:
        while data := os.read(self._read_fd, 1 << 16):
            self._sink(data)


def _initramfs(kernel: kernels.Kernel, command: Sequence[str], settings: Settings) -> bytes:
    archive = cpio.Archive()
    archive.file("bin/busybox", kernels.busybox().read_bytes(), 0o755)
    archive.character_device("dev/console", 0o600, 5, 1)
    for folder in ("proc", "sys", "etc"):
        archive.folder(folder)
    archive.file("init", (FOLDER / "box_init.sh").read_bytes(), 0o755)
    archive.file("box/run", (FOLDER / "box_run.sh").read_bytes())
    archive.file("box/command", _script(command, settings).encode())
    archive.file("box/settings", f"MODULES={shlex.quote(str(kernel.modules.resolve()))}\n".encode())
    archive.file("box/shares", "".join(f"{share.resolve()}\n" for share in settings.shares).encode())
    files = kernel.load_order(MODULES)
    for file in files:
        archive.file(f"box/{file.name}", kernels.module_contents(file))
    archive.file("box/modules", "".join(f"{file.name}\n" for file in files).encode())
    return archive.finished()


def _script(command: Sequence[str], settings: Settings) -> str:
    given = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TERM") if name in os.environ}
    lines = [f"export {name}={shlex.quote(value)}" for name, value in {**given, **settings.environment}.items()]
    workdir = shlex.quote(str(settings.workdir.resolve()))
    return "\n".join([*lines, f"cd {workdir} || exit 125", f"exec {shlex.join(command)}", ""])


def _qemu(
    kernel: kernels.Kernel, settings: Settings, initrd: int, stdout: int, stderr: int, status: int, console: int
) -> list[str]:
    arguments = [QEMU, "-accel", "tcg,thread=multi", "-cpu", PROCESSOR]
    arguments += ["-smp", str(settings.cpus), "-m", str(settings.memory)]
    arguments += ["-nodefaults", "-display", "none", "-no-reboot"]
    arguments += ["-kernel", str(kernel.quickest), "-initrd", f"/proc/self/fd/{initrd}"]
    arguments += ["-append", f"console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on {TICKING}"]
    shared = "local,security_model=none,multidevs=remap"
    arguments += ["-virtfs", f"{shared},path=/,mount_tag=host,readonly=on"]
    for number, share in enumerate(settings.shares):
        path = str(share.resolve()).replace(",", ",,")
        arguments += ["-virtfs", f"{shared},path={path},mount_tag=share{number}"]
    arguments += ["-device", "virtio-serial-pci"]
    for name, fd in (("stdout", stdout), ("stderr", stderr), ("status", status), ("console", console)):
        arguments += ["-add-fd", f"fd={fd},set={fd}", "-chardev", f"file,id={name},path=/dev/fdset/{fd},append=on"]
    for name in ("stdout", "stderr", "status"):
        arguments += ["-device", f"virtserialport,chardev={name},name={name}"]
    return [*arguments, "-serial", "chardev:console"]


def _die_with(parent: int) -> Callable[[], None]:
    """For a new process: to be killed when its parent ends, however that ends."""
    libc = ctypes.CDLL(None)  # loaded here: between fork and exec as little as possible

    def prepare() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def _text(data: bytearray) -> str:
    return data.decode(errors="replace").replace("\r", "")
