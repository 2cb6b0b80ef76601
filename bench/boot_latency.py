"""POST /servers to the guest's first output, for 100 servers created one after another, on a service of its own.

The end of the measurement is the VMM's own timestamp (CLOCK_MONOTONIC) of the first byte on the console, so asking
costs nothing. The baseline is the same boot without the service: the hypervisor driver called directly, in the same
run.

    python -m bench.boot_latency [--count 100]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from bench.service import running
from nova_lite.hv.driver import MachineSpec
from nova_lite.hv.kvm import KvmDriver
from nova_lite.hv.vmm import client
from nova_lite.paths import Paths

TARGET_MS = 60.0
GUESTS = Path(__file__).parent.parent / "nova_lite" / "hv" / "guests"


def first_output(paths: Paths, server_id: str, timeout: float = 30.0) -> float:
    """When the guest wrote its first byte, in seconds of CLOCK_MONOTONIC."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        counters = client.request(paths.vmm_socket(server_id), "GET", "vm.counters")
        stamp = counters.get("serial", {}).get("first_output_ns", 0)
        if stamp:
            return stamp / 1e9
        time.sleep(0.001)
    raise RuntimeError(f"server {server_id} printed nothing in {timeout} s")


def through_the_driver(count: int) -> list[float]:
    state = Path(tempfile.mkdtemp(prefix="nlb-"))
    paths = Paths(state)
    paths.make()
    driver = KvmDriver(paths)
    driver.start(lambda event: None)
    times = []
    try:
        for number in range(count):
            spec = MachineSpec(str(uuid.uuid4()), f"b{number}", 1, 16, GUESTS / "interactive.elf", "elf64")
            start = time.monotonic()
            driver.prepare(spec)
            driver.power_on(spec)
            times.append((first_output(paths, spec.uuid) - start) * 1000)
            driver.destroy(spec.uuid)
    finally:
        driver.close()
        shutil.rmtree(state, ignore_errors=True)
    return times


def through_the_api(count: int) -> tuple[list[float], int]:
    times, failed = [], 0
    with running() as service:
        paths = Paths(service.state)
        body = {"server": {"name": "bench", "imageRef": service.image("interactive"), "networks": "none",
                           "flavorRef": service.flavor("m1.pico")}}  # fmt: skip
        for _ in range(count):
            start = time.monotonic()
            status, document = service.call("POST", "/v2.1/servers", body)
            if status != 202:
                raise RuntimeError(f"POST /servers: {status} {document}")
            server_id = document["server"]["id"]
            try:
                service.wait_status(server_id, "ACTIVE")
                times.append((first_output(paths, server_id) - start) * 1000)
            except RuntimeError as error:
                print(error, file=sys.stderr)
                failed += 1
    return times, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    arguments = parser.parse_args()
    base = statistics.median(through_the_driver(min(arguments.count, 30)))
    times, failed = through_the_api(arguments.count)
    median = statistics.median(times)
    result = {
        "name": "post_to_first_output", "unit": "ms", "value": round(median, 1),
        "p95": round(sorted(times)[int(len(times) * 0.95) - 1], 1), "count": arguments.count, "failed": failed,
        "baseline": round(base, 1), "baseline_name": "driver.prepare + power_on to first output, no service",
        "ratio": round(median / base, 2), "target": TARGET_MS, "ok": median <= TARGET_MS and failed == 0,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
