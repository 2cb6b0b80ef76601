"""A Linux that boots as a server: kernel, initramfs and root disk out of Debian's packages, by mmdebstrap and mke2fs.

It is a Debian, or the few programs with which a server can be reached seconds after its start (``BUSYBOX``). No loop
device is used; as root it runs as that, else in mmdebstrap's user namespace. What is made is kept in a cache by its
recipe.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
#: ext4 on the whole disk; names of cards do not depend on their places.
CMDLINE = "root=/dev/vda ro console=ttyS0 net.ifnames=0 quiet"
_LEFT_OUT = (
    *("path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*", "path-exclude=/usr/share/doc/*"),
    *("path-include=/usr/share/doc/*/copyright", "path-include=/usr/share/locale/locale.alias"),
)
_SUITE = re.compile(r"[a-z][a-z0-9-]{0,63}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,127}")
_MIRROR = re.compile(r"(https?|file|copy)://?[!-~]{1,1000}")
#: What mmdebstrap says as it goes, and how much is then done, in percent.
_STAGES = (
    ("running apt-get update", 2),
    ("downloading packages", 8),
    ("extracting archives", 15),
    ("installing essential", 30),
    ("installing remaining", 40),
    ("running --extract-hook", 60),
    ("running --customize-hook", 85),
    ("cleaning", 97),
)
_PROGRAMS = (("mmdebstrap", "mmdebstrap"), ("mke2fs", "e2fsprogs"), ("unshare", "util-linux"))
#: What is made, by the names that customize.sh has for them.
_FILES = {"KERNEL": "vmlinuz", "INITRAMFS": "initrd.img", "DISK": "disk.raw"}
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class System:
    """What is made of ``packages``: mmdebstrap's ``variant`` tells what becomes of them, and a script of each of its
    ``hooks`` does the rest."""

    name: str
    packages: tuple[str, ...]
    variant: str
    hooks: dict[str, str]  # a hook of mmdebstrap's: a file beside this one

    def scripts(self) -> dict[str, str]:
        return {hook: (_FOLDER / file).read_text() for hook, file in self.hooks.items()}


DEBIAN = System(
    "debian",
    (
        *("systemd-sysv", "udev", "linux-image-cloud-amd64", "initramfs-tools", "zstd", "e2fsprogs", "netbase"),
        *("cloud-init", "openssh-server", "sudo", "ifupdown", "isc-dhcp-client", "iproute2", "ca-certificates"),
        *("dbus", "libpam-systemd"),  # systemctl, hostnamectl and loginctl of a user
    ),
    "apt",
    {"essential": "essential.sh", "customize": "customize.sh"},
)
#: Packages are unpacked, not installed, and a few of their files taken.
BUSYBOX = System(
    "busybox",
    ("linux-image-cloud-amd64", "busybox-static", "dropbear-bin", "util-linux", "e2fsprogs"),
    "extract",
    {"extract": "busybox.sh"},
)


class BuildFailed(Exception):
    """The image cannot be made. ``str(error)`` says why and what may help."""


@dataclass(frozen=True)
class Recipe:
    """``suite``: a release's name; ``mirror`` None: what this machine's own apt uses for it, else Debian's; ``size`` of
    the disk in MiB; ``include``: further packages (of a Debian)."""

    suite: str = "bookworm"
    mirror: str | None = None
    size: int = 1024
    include: tuple[str, ...] = ()
    system: System = DEBIAN

    def check(self) -> None:
        """:raises BuildFailed: naming what cannot be."""
        if not _SUITE.fullmatch(self.suite):
            raise BuildFailed(f"suite: {self.suite!r} is no name of a release")
        if self.mirror is not None and not _MIRROR.fullmatch(self.mirror):
            raise BuildFailed(f"mirror: {self.mirror!r} is no address of a mirror")
        for package in self.include:
            if not _PACKAGE.fullmatch(package):
                raise BuildFailed(f"include: {package!r} is no name of a package")

    @property
    def name(self) -> str:
        """Of its place in the cache. A change of what is made of the same wishes makes it anew."""
        text = json.dumps([asdict(self), self.system.scripts()], sort_keys=True)
        return f"{self.system.name}-{self.suite}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class Built:
    kernel: Path
    initramfs: Path
    disk: Path


def busybox(suite: str = Recipe.suite, mirror: str | None = None) -> Recipe:
    """Of a disk that is no larger than it must be; the server's grows to its flavor's at its first boot."""
    return Recipe(suite, mirror, size=64, system=BUSYBOX)


#: Called with percents done and what is being done.
Progress = Callable[[int, str], None]


def cache_folder() -> Path:
    """``nova-lite/images`` in the user's cache folder (XDG)."""
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache").absolute() / "nova-lite" / "images"


def built(recipe: Recipe, cache: Path, progress: Progress, refresh: bool = False) -> Built:
    """What the recipe gives: from the cache unless ``refresh``, else made now. :raises BuildFailed: it cannot be."""
    recipe.check()
    folder = cache / recipe.name
    made = Built(*(folder / name for name in _FILES.values()))
    try:
        with _locked(folder):
            if refresh or not folder.is_dir():
                _make(recipe, folder, progress)
    except OSError as error:
        raise BuildFailed(f"{error.filename or cache}: {error.strerror}") from error
    progress(100, "done")
    return made


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(recipe: Recipe, folder: Path, progress: Progress) -> None:
    """Make the folder beside its place and put it there whole."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    for program, package in _PROGRAMS:
        if shutil.which(program, path=path) is None:
            raise BuildFailed(f"{program} is not installed (Debian: {package})")
    for abandoned in folder.parent.glob(f"{folder.name}.new-*"):  # of a build that was killed: we hold its lock
        shutil.rmtree(abandoned)
    with tempfile.TemporaryDirectory(prefix=f"{folder.name}.new-", dir=folder.parent) as beside:
        contents = Path(beside, "contents")
        contents.mkdir()
        with _workplace(contents) as place:
            for name in _FILES.values():
                (place / name).touch()
                (place / name).chmod(0o666)  # in a user namespace the writer is another user
            os.truncate(place / _FILES["DISK"], recipe.size << 20)
            _bootstrap(recipe, place, path, progress)
            for name in _FILES.values():
                (place / name).chmod(0o600)
                if place != contents:
                    shutil.move(place / name, contents / name)
        if folder.exists():
            shutil.rmtree(folder)
        contents.rename(folder)


@contextlib.contextmanager
def _workplace(contents: Path) -> Iterator[Path]:
    """Where mmdebstrap's user can write: root anywhere; the root of a user namespace in a folder that others may enter,
    but whose name they cannot learn."""
    if os.geteuid() == 0:
        yield contents
        return
    with tempfile.TemporaryDirectory(prefix="nova-lite-") as outer:
        os.chmod(outer, 0o711)
        place = Path(outer, secrets.token_hex(16))
        place.mkdir()
        place.chmod(0o711)
        yield place


def _bootstrap(recipe: Recipe, place: Path, path: str, progress: Progress) -> None:
    own = f"deb {recipe.mirror} {recipe.suite} main\n"
    sources, options = (own, []) if recipe.mirror else own_sources(recipe.suite)
    environment = os.environ | {
        "PATH": path,
        "LC_ALL": "C.UTF-8",
        "MIRROR": recipe.mirror or MIRROR,
        "SECURITY": SECURITY,
        "SUITE": recipe.suite,
        **{variable: str(place / name) for variable, name in _FILES.items()},
    }
    command = ["mmdebstrap", f"--variant={recipe.system.variant}", "--format=null", "--architectures=amd64"]
    command += [f"--include={','.join((*recipe.system.packages, *recipe.include))}"]
    command += [f"--dpkgopt={option}" for option in ("force-unsafe-io", *_LEFT_OUT)]
    command += [f"--aptopt={option}" for option in ("Acquire::Languages none", *options)]
    command += [f"--{hook}-hook={script}" for hook, script in recipe.system.scripts().items()]
    with subprocess.Popen(
        [*command, recipe.suite, "/dev/null", "-"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env=environment,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdin is not None and process.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(sources)
            process.stdin.close()
        said = _follow(process.stderr, progress)
    if process.returncode:
        reasons = [line for line in said if line.startswith(("E:", "mke2fs:", "Err:"))] or said
        raise BuildFailed("mmdebstrap failed: " + "; ".join(line.strip() for line in reasons[-4:]))


def _follow(lines: Iterator[str], progress: Progress) -> list[str]:
    """The last of what is said; ``progress`` learns of the stages."""
    said: list[str] = []
    for line in lines:
        said = [*said[-40:], line.rstrip()]
        for text, percent in _STAGES:
            if line.startswith("I: ") and text in line:
                progress(percent, text.removeprefix("running ").removeprefix("--"))
    return said


def own_sources(suite: str) -> tuple[str, list[str]]:
    """Lines for sources.list and options of apt, as this machine has them for ``suite``; Debian's own mirror where it
    has none."""
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(SIGNED_BY)"
    wanted = (suite, f"{suite}-updates", f"{suite}-security")
    lines = []
    for target in _output(["apt-get", "indextargets", "--format", form, "Created-By: Packages"]).splitlines():
        fields = target.split()
        if len(fields) >= 3 and fields[1] in wanted and fields[2] == "main":
            signed = f"[signed-by={fields[3]}] " if len(fields) > 3 and fields[3].startswith("/") else ""
            lines.append(f"deb {signed}{fields[0]} {fields[1]} main")
    if not any(line.split()[-2] == suite for line in lines):
        return f"deb {MIRROR} {suite} main\n", []
    kept = re.compile(r'^(Acquire::(?:https?::Proxy|Check-Valid-Until|Check-Date)) "([^"]*)";$', re.MULTILINE)
    options = [f'{name} "{value}"' for name, value in kept.findall(_output(["apt-config", "dump"]))]
    return "".join(f"{line}\n" for line in dict.fromkeys(lines)), options


def _output(command: list[str]) -> str:
    """What a program printed; nothing where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout if done.returncode == 0 else ""
