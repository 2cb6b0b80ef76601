"""What a network adds to POST /servers → ACTIVE: the first card of a network, and cards on one that has up to 200.

In a network namespace of its own, as root. Servers with a card and without take turns, in one run; the former stay
until there are ``--count`` of them on one bridge.

    python -m bench.network [--count 200] [--networks 10]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from typing import Any

from bench.service import Service, running
from nova_lite.compute import networks
from nova_lite.db.engine import Database
from tests import netns

TARGET_MS = 30.0


def create(service: Service, body: dict[str, Any], wanted: Any) -> tuple[str, float]:
    """A server's id, and milliseconds from its request to ACTIVE."""
    begun = time.perf_counter()
    status, document = service.call("POST", "/v2.1/servers", {"server": body | {"networks": wanted}})
    if status != 202:
        raise RuntimeError(f"POST /servers: {status} {document}")
    server_id = document["server"]["id"]
    service.wait_status(server_id, "ACTIVE")
    return server_id, (time.perf_counter() - begun) * 1000


def in_turns(service: Service, body: dict[str, Any], wanted: list[Any]) -> tuple[list[float], list[float]]:
    """Times without a network, and with each of these."""
    without, with_one = [], []
    for one in wanted:
        bare, took = create(service, body, "none")
        without.append(took)
        service.call("DELETE", f"/v2.1/servers/{bare}")
        while service.call("GET", f"/v2.1/servers/{bare}")[0] != 404:
            pass  # its end is not to be measured with the next one's beginning
        with_one.append(create(service, body, one)[1])
    return without, with_one


def figures(name: str, without: list[float], with_one: list[float]) -> dict[str, Any]:
    """Medians; what is added is that of each pair, as the machine may be busier later."""
    added = statistics.median(one - bare for bare, one in zip(without, with_one, strict=True))
    return {
        f"{name}_without": round(statistics.median(without), 1),
        f"{name}_with": round(statistics.median(with_one), 1),
        f"{name}_added": round(added, 1),
        f"{name}_ratio": round(statistics.median(with_one) / statistics.median(without), 2),
    }


def measure(count: int, several: int) -> dict[str, Any]:
    with (
        tempfile.TemporaryDirectory(prefix="nova-lite-bench-", dir="/run") as run_path,
        netns.entered(),
        running(f"[network]\nenabled = true\nrun_path = {run_path}\n") as service,
    ):
        os.chmod(run_path, 0o755)  # dnsmasq reads its files as nobody
        body = {"name": "bench", "imageRef": service.image("interactive"), "flavorRef": service.flavor("m1.pico")}
        database = Database(f"sqlite:///{service.state / 'nova-lite.db'}", durable=False)
        host = service.call("GET", "/v2.1/os-services?binary=nova-compute")[1]["services"][0]["host"]
        new = [
            networks.create_network(database, host, f"net{number}", f"10.{200 + number}.0.0/24").id
            for number in range(several)
        ]
        database.close()
        found = figures("first", *in_turns(service, body, [[{"uuid": one}] for one in new]))
        without, with_one = in_turns(service, body, ["auto"] * count)
        found |= figures("early", without[1:21], with_one[1:21])
        found |= figures("late", without[-20:], with_one[-20:])
    return found


def main() -> int:
    os.environ.pop("OS_NETWORK__ENABLED", None)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="servers on one network (40 or more)")
    parser.add_argument("--networks", type=int, default=10, help="networks of which the first card is made")
    arguments = parser.parse_args()
    found = measure(arguments.count, arguments.networks)
    value = max(found["first_added"], found["early_added"], found["late_added"])
    result = {
        "name": "network_added_to_create", "unit": "ms", "value": value, "count": arguments.count, **found,
        "target": TARGET_MS, "ok": value <= TARGET_MS,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
