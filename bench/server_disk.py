"""What a root disk costs: POST /servers to ACTIVE with a 10 GiB root over an image and without a disk, in turn.

Then many servers of that image read the same part of it: how much of it lies in the page cache (mincore), and what
``Cached`` of /proc/meminfo says before and after. Shared, it is there once, however many read it.

    python -m bench.server_disk [--count 40] [--servers 100] [--mib 64]
"""

from __future__ import annotations

import argparse
import ctypes
import json
import mmap
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench.service import Service, running
from nova_lite.hv import console_log
from nova_lite.paths import Paths
from tests.kvm import disk_guest

TARGET_MS, TARGET_BYTES = 15.0, 1 << 20
ROOT_GIB = 10


def create(service: Service, image: str, flavor: str) -> tuple[str, float]:
    """A server, ACTIVE; its id and the milliseconds that took."""
    body = {"server": {"name": "bench", "imageRef": image, "networks": "none", "flavorRef": flavor}}
    start = time.monotonic()
    status, document = service.call("POST", "/v2.1/servers", body)
    if status != 202:
        raise RuntimeError(f"POST /servers: {status} {document}")
    service.wait_status(document["server"]["id"], "ACTIVE")
    return document["server"]["id"], (time.monotonic() - start) * 1000


def add_image(service: Service, name: str, kernel: Path, *disk: str) -> str:
    program = Path(sys.executable).parent / "nova-lite"
    command = [program, "--state-path", service.state, "image", "add", name, kernel, "--format", "elf64", *disk]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def in_page_cache(path: Path) -> int:
    """Bytes of a file that the host's page cache has."""
    size = path.stat().st_size
    vector = (ctypes.c_ubyte * (-(-size // mmap.PAGESIZE)))()
    with open(path, "rb") as file, mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ | 2) as view:
        start = ctypes.c_char.from_buffer(view)
        if ctypes.CDLL(None).mincore(ctypes.c_void_p(ctypes.addressof(start)), ctypes.c_size_t(size), vector):
            raise OSError("mincore failed")
        del start
    return sum(page & 1 for page in vector) * mmap.PAGESIZE


def cached() -> int:
    line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("Cached:"))
    return int(line.split()[1]) * 1024


def forget(path: Path) -> None:
    """Drop a file from the page cache."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def wait_booted(paths: Paths, server_id: str) -> None:
    deadline = time.monotonic() + 120
    while b", boots " not in console_log.read_tail(paths.console_log(server_id), 4096):
        if time.monotonic() > deadline:
            raise RuntimeError(f"the guest of {server_id} has not read its disk")
        time.sleep(0.01)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="servers with and as many without a disk")
    parser.add_argument("--servers", type=int, default=100, help="servers that read one image")
    parser.add_argument("--mib", type=int, default=64, help="MiB of the image that each reads")
    arguments = parser.parse_args()
    with running() as service:
        paths = Paths(service.state)
        disk = service.state / "disk.raw"
        kernel = disk_guest.build(service.state / "guest.elf")
        reading = disk_guest.build(service.state / "reading.elf", arguments.mib)
        with disk.open("wb") as file:
            for _ in range(arguments.mib):
                file.write(os.urandom(1 << 20))
            file.truncate(2 << 30)
        plain = add_image(service, "plain", kernel)
        image, read = (
            add_image(service, name, guest, "--disk", str(disk), "--disk-format", "raw")
            for name, guest in (("disk", kernel), ("read", reading))
        )
        flavor = {"name": "ten", "ram": 16, "vcpus": 1, "disk": ROOT_GIB, "id": "ten"}
        service.call("POST", "/v2.1/flavors", {"flavor": flavor})
        times: dict[str, list[float]] = {plain: [], image: []}
        written = []
        for _ in range(arguments.count):
            for wanted in times:
                server_id, milliseconds = create(service, wanted, "ten")
                times[wanted].append(milliseconds)
                if wanted == image:
                    wait_booted(paths, server_id)
                    written.append(paths.disk(server_id, "vda").stat().st_blocks * 512)
                service.call("DELETE", f"/v2.1/servers/{server_id}")
        base = paths.images / read / "disk.raw"
        forget(base)
        before, there_before = cached(), in_page_cache(base)
        for server_id in [create(service, read, "ten")[0] for _ in range(arguments.servers)]:
            wait_booted(paths, server_id)
        after, there = cached(), in_page_cache(base)
    without, extra = statistics.median(times[plain]), statistics.median(times[image]) - statistics.median(times[plain])
    result = {
        "name": "server_root_disk", "unit": "ms", "value": round(extra, 1), "target": TARGET_MS,
        "with_disk": round(without + extra, 1), "without_disk": round(without, 1), "count": arguments.count,
        "quickest": {"with_disk": round(min(times[image]), 1), "without_disk": round(min(times[plain]), 1)},
        "root_gib": ROOT_GIB, "bytes_allocated": max(written), "bytes_target": TARGET_BYTES,
        "servers_of_one_image": arguments.servers, "mib_read_by_each": arguments.mib,
        "mib_of_image_in_page_cache": {"before": there_before >> 20, "after": there >> 20},
        "mib_cached_of_host": {"before": before >> 20, "after": after >> 20},
        "ok": extra <= TARGET_MS and max(written) < TARGET_BYTES and there < 2 * arguments.mib << 20,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
