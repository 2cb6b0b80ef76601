"""The service with a thousand real servers: listing them in full, accepting and building more, memory of its processes.

Each server is a VM of 16 MiB whose guest waits for input. The service is asked over HTTP by an administrator at 2.90:

    GET /servers/detail    with 1,000 servers on the page
    POST /servers          one after another on one connection, while the agent builds what was accepted
    POST → ACTIVE          asked for every 2 ms

Memory is the proportional set size of every process of the service, those of the VMs left out.

    python -m bench.thousand [--count 1000] [--posts 100] [--builds 20]

The baseline is real Nova 34 with its fake driver, nine services on the same kind of machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.service import Service, running

PATIENCE = 600.0
BASELINE = {"detail_s": 5.8, "posts_per_s": 5.6, "active_s": 1.0, "memory_gib": 5.4}
TARGET = {"detail_s": 0.1, "posts_per_s": 60.0, "active_s": 0.06, "memory_gib": 0.3}


def create(service: Service, body: dict[str, Any]) -> str:
    status, document = service.call("POST", "/v2.1/servers", body)
    if status != 202:
        raise RuntimeError(f"POST /servers: {status} {document}")
    return document["server"]["id"]


def wait_all_active(service: Service, count: int) -> None:
    """RuntimeError for a server in ERROR, or when time is up."""
    deadline = time.monotonic() + PATIENCE
    while True:
        if failed := service.call("GET", "/v2.1/servers/detail?status=ERROR")[1]["servers"]:
            raise RuntimeError(f"{len(failed)} servers are in ERROR, such as {failed[0]['fault']}")
        if not service.call("GET", "/v2.1/servers?status=BUILD&limit=1")[1]["servers"]:
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"not all servers were ACTIVE after {PATIENCE:g} s")
        time.sleep(0.2)
    active = len(service.call("GET", "/v2.1/servers?status=ACTIVE")[1]["servers"])
    if active != count:
        raise RuntimeError(f"{active} of {count} servers are ACTIVE")


def delete(service: Service, servers: list[str]) -> None:
    """And wait until they are gone."""
    for server in servers:
        service.call("DELETE", f"/v2.1/servers/{server}")
    deadline = time.monotonic() + PATIENCE
    while any(service.call("GET", f"/v2.1/servers/{server}")[0] != 404 for server in servers):
        if time.monotonic() > deadline:
            raise RuntimeError("servers were not deleted in time")
        time.sleep(0.1)


def detail_seconds(service: Service, count: int, rounds: int) -> list[float]:
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        _, text = service.read("GET", "/v2.1/servers/detail")
        times.append(time.perf_counter() - begun)
        if len(json.loads(text)["servers"]) != count:
            raise RuntimeError("the listing does not have every server")
    return times


def processor_seconds(state: Path) -> float:
    """What the service's processes have used so far: a figure that a busy machine leaves alone."""
    ticks = 0
    for pid in _processes(state):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _processes(state: Path) -> list[int]:
    """Of the service whose state folder this is, without those of its VMs."""
    machines = {json.loads(path.read_text())["pid"] for path in state.glob("instances/*/vmm.json")}
    return [pid for pid in _descendants(os.getpid()) if pid not in machines]


def _descendants(pid: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
        children.setdefault(parent, []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        found = children.get(waiting.pop(), [])
        yield from found
        waiting += found


def service_memory(state: Path) -> dict[str, Any]:
    """{"memory_gib", "processes"} of the service."""
    pids = _processes(state)
    kib = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        kib += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return {"memory_gib": round(kib / (1 << 20), 3), "processes": len(pids)}


def measure(count: int, posts: int, builds: int) -> dict[str, Any]:
    with running() as service:
        body = {"server": {"name": "bench", "imageRef": service.image("interactive"), "networks": "none",
                           "flavorRef": service.flavor("m1.pico")}}  # fmt: skip
        begun = time.perf_counter()
        for _ in range(count):
            create(service, body)
        wait_all_active(service, count)
        filled = time.perf_counter() - begun
        found: dict[str, Any] = {"count": count, "filled_s": round(filled, 1)} | service_memory(service.state)
        used = processor_seconds(service.state)
        details = detail_seconds(service, count, rounds=9)
        found["detail_processor_s"] = round((processor_seconds(service.state) - used) / len(details), 4)
        found |= {"detail_s": round(statistics.median(details), 4), "detail_s_best": round(min(details), 4)}

        begun = time.perf_counter()
        extra = [create(service, body) for _ in range(posts)]
        found["posts_per_s"] = round(posts / (time.perf_counter() - begun), 1)
        for server in extra:
            service.wait_status(server, "ACTIVE", PATIENCE)
        delete(service, extra)

        times, extra = [], []
        for _ in range(builds):
            begun = time.perf_counter()
            extra.append(create(service, body))
            service.wait_status(extra[-1], "ACTIVE")
            times.append(time.perf_counter() - begun)
        found |= {"active_s": round(statistics.median(times), 4), "active_s_worst": round(max(times), 4)}
        delete(service, extra)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000, help="servers that are there (at most 1000: one page)")
    parser.add_argument("--posts", type=int, default=100, help="servers accepted in a row")
    parser.add_argument("--builds", type=int, default=20, help="servers waited for, one by one")
    arguments = parser.parse_args()
    found = measure(min(arguments.count, 1000), arguments.posts, arguments.builds)
    ok = found["posts_per_s"] >= TARGET["posts_per_s"] and all(
        found[name] <= TARGET[name] for name in ("detail_s", "active_s", "memory_gib")
    )
    result = {
        "name": "thousand_servers", "unit": "s", "value": found["detail_s"], **found, "baseline": BASELINE,
        "baseline_name": "Nova 34: 5.8 s, 5.6/s, 1.0 s, 5.4 GiB", "target": TARGET, "ok": ok,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
