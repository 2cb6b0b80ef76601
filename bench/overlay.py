"""Copy-on-write overlays: 4 KiB at random places beside a raw image, same run; and what a new one of 10 GiB costs.

    python -m bench.overlay [--requests 64000]

overlay_requests.c asks the two backends in turn, without a guest and a device in between: what these cost would only
bring the two nearer to each other. The files are in the page cache. Values are requests per second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nova_lite
from nova_lite.disks import overlay

TARGET = 0.9
SIZE = 64 << 20
LARGE = 10 << 30
CREATE_MS = 15.0
CREATE_BYTES = 1 << 20
NATIVE = Path(nova_lite.__file__).parent / "hv/native"
SOURCE = Path(__file__).with_name("overlay_requests.c")


def build(folder: Path) -> Path:
    program = folder / "requests"
    sources = [SOURCE, *(NATIVE / f"virtio/block_{name}.c" for name in ("file", "raw", "overlay"))]
    flags = ["-std=gnu11", "-O2", "-D_GNU_SOURCE", "-pthread", f"-I{NATIVE}"]
    subprocess.run(["gcc", *flags, "-o", program, *sources], check=True)
    return program


def compared(program: Path, folder: Path, requests: int) -> dict[str, dict[str, float]]:
    """Requests per second by phase and kind of disk."""
    base, raw, path = (folder / name for name in ("base", "raw", "overlay"))
    with base.open("wb", buffering=0) as file:
        for _ in range(SIZE >> 20):  # piece by piece like the others: the size of the cache's folios depends on it
            file.write(b"nova" * (1 << 18))
    raw.touch()
    os.truncate(raw, SIZE)
    header = overlay.create(path, SIZE, base)
    places = [header.bitmap_offset, header.data_offset, requests]
    done = subprocess.run(
        [program, raw, path, base, *map(str, places)], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    rates: dict[str, dict[str, float]] = {}
    for phase, kind, spent in (line.split() for line in done.splitlines()):
        rates.setdefault(phase, {})[kind] = round(1e9 / int(spent))
    return rates


def created(folder: Path) -> tuple[float, int]:
    """Milliseconds, the median of 20, and bytes that a new overlay takes."""
    base = folder / "base"
    spent, path = [], folder / "large"
    for _ in range(20):
        path.unlink(missing_ok=True)
        start = time.monotonic()
        overlay.create(path, LARGE, base)
        spent.append((time.monotonic() - start) * 1000)
    return statistics.median(spent), path.stat().st_blocks * 512


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=64000, help="in each phase (default %(default)s)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nlb-") as name:
        folder = Path(name)
        rates = compared(build(folder), folder, given.requests)
        milliseconds, taken = created(folder)
    ratios = {phase: round(found["overlay"] / found["raw"], 3) for phase, found in rates.items()}
    worst = min(ratios, key=lambda phase: ratios[phase])
    result = {
        "name": "overlay", "value": rates[worst]["overlay"], "unit": f"requests/s, {worst}",
        "baseline": rates[worst]["raw"], "baseline_name": "raw image", "ratio": ratios[worst], "target": TARGET,
        "ratios": ratios, "create_ms": round(milliseconds, 2), "create_ms_target": CREATE_MS,
        "create_bytes": taken, "create_bytes_target": CREATE_BYTES,
        "ok": ratios[worst] >= TARGET and milliseconds <= CREATE_MS and taken < CREATE_BYTES,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
