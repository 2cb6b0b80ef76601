"""Fuzzes devices (libFuzzer, needs clang) and what reads files (loaders.py, disk_files.py).

    python fuzz/run.py SECONDS [KIND...]

Seeds and inputs of past findings are in ``corpus/<kind>``, those that a run adds
in ``build/fuzz``; a finding ends the run with status 1 and its input in ``build/fuzz/<kind>-crash-…``. Keep it in
``corpus/<kind>`` with the fix.
"""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parent / "nova_lite/hv/native"
WORK = HERE.parent / "build/fuzz"
DISK_KINDS = ("block", "block-ring", "block-vcpu", "block-limited", "overlay", "overlay-ring", "overlay-file")
DEVICE_KINDS = ("rng", *DISK_KINDS, "net", "net-queues", "vsock", "balloon", "console")
KINDS = (*DEVICE_KINDS, "pci", "serial", "ports", "hotplug")
#: Kinds that look the same to the guest share their inputs.
CORPUS = dict.fromkeys(("block-ring", "block-vcpu", "block-limited", "overlay", "overlay-ring"), "block")
#: Of Python's: kind → its program.
PROGRAMS = dict.fromkeys(("bzimage", "elf", "unpack"), "loaders.py") | dict.fromkeys(
    ("qcow2", "overlay-header"), "disk_files.py"
)
LOADER_KINDS = tuple(PROGRAMS)
SANITIZERS = "-fsanitize=fuzzer,address,undefined"


def build(folder: Path = WORK) -> Path:
    """The fuzzer, for every kind of device and the platform."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "fuzz-device"
    sources = [NATIVE / name for name in runpy.run_path(str(NATIVE / "build.py"))["DEVICE_CORE"]]
    flags = ["-std=gnu11", "-g", "-O1", "-D_GNU_SOURCE", "-pthread", f"-I{NATIVE}", f"-I{HERE}"]
    flags += [SANITIZERS, "-fno-sanitize-recover=all"]
    own = [HERE / name for name in ("device_target.c", "overlay_files.c", "platform_target.c", "fake_machine.c")]
    command = ["clang", *flags, "-o", program, *own, *sources]
    subprocess.run(command, check=True)
    return program


def run(program: Path, kind: str, seconds: int) -> int:
    """Fuzz for so long, 0: only the corpus. The exit status."""
    folder = program.parent
    found = folder / kind
    found.mkdir(parents=True, exist_ok=True)
    limit = [f"-max_total_time={seconds}"] if seconds else ["-runs=0"]
    options = [*limit, "-max_len=2048", "-timeout=20", "-print_final_stats=1", f"-artifact_prefix={folder}/{kind}-"]
    command = [program, *options, found, HERE / "corpus" / CORPUS.get(kind, kind)]
    return subprocess.run(command, env=os.environ | {"FUZZ_KIND": kind}, check=False).returncode


def run_loader(kind: str, limit: str, number: int, *more: str) -> int:
    """Fuzz a reader of files for ``number`` of ``--seconds`` or ``--runs``, in bounded memory. The exit status."""
    command = [sys.executable, HERE / PROGRAMS[kind], kind, limit, str(number), *more]
    return subprocess.run(command, check=False).returncode


def main(seconds: int, kinds: list[str]) -> int:
    """Each kind for so long; 1 if any of them ended with a finding."""
    wrong = set(kinds) - {*KINDS, *LOADER_KINDS}
    if wrong:
        print(f"fuzz: no such kind: {', '.join(sorted(wrong))}; there are {', '.join((*KINDS, *LOADER_KINDS))}")
        return 2
    chosen = kinds or [*KINDS, *LOADER_KINDS]
    fuzzer = build() if set(chosen) & set(KINDS) else None
    worst = [run(fuzzer, kind, seconds) for kind in chosen if fuzzer is not None and kind in KINDS]
    worst += [run_loader(kind, "--seconds", seconds) for kind in chosen if kind in LOADER_KINDS]
    return int(any(worst))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
