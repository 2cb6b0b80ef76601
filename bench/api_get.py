"""GET /servers/{id} through gunicorn 2x4, against a bare falcon route on the same kind of server in the same run.

python -m bench.api_get [--seconds 3] [--rounds 3]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import falcon

from bench.load import requests_per_second
from bench.service import free_port, running

TARGET = 0.25


class Bare:
    def on_get(self, http: falcon.Request, resp: falcon.Response, server_id: str) -> None:
        resp.media = {"server": {"id": server_id, "status": "ACTIVE"}}


def bare_application() -> falcon.App:
    app = falcon.App()
    app.add_route("/v2.1/servers/{server_id}", Bare())
    return app


@contextlib.contextmanager
def bare_server() -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "-k", "gthread", "--threads", "4", "--log-level", "error"]
    command += ["-b", f"127.0.0.1:{port}", "bench.api_get:bare_application()"]
    process = subprocess.Popen(command)
    try:
        for _ in range(200):
            with contextlib.suppress(OSError):
                requests_per_second(port, "/v2.1/servers/x", {}, connections=1, seconds=0.05)
                break
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with running() as service, bare_server() as bare_port:
        body = {"server": {"name": "bench", "imageRef": service.image("interactive"), "networks": "none",
                           "flavorRef": service.flavor("m1.pico")}}  # fmt: skip
        status, document = service.call("POST", "/v2.1/servers", body)
        if status != 202:
            raise RuntimeError(f"POST /servers: {status} {document}")
        server_id = document["server"]["id"]
        service.wait_status(server_id, "ACTIVE")
        path = f"/v2.1/servers/{server_id}"
        headers = {"X-Auth-Token": "admin", "OpenStack-API-Version": "compute 2.90"}
        ours, bare = [], []
        for _ in range(arguments.rounds):
            bare.append(requests_per_second(bare_port, path, {}, seconds=arguments.seconds))
            ours.append(requests_per_second(service.port, path, headers, seconds=arguments.seconds))
    value, baseline = statistics.median(ours), statistics.median(bare)
    result = {
        "name": "api_get_server", "unit": "requests/s", "value": round(value, 1), "baseline": round(baseline, 1),
        "baseline_name": "bare falcon route, gunicorn 2x4", "ratio": round(value / baseline, 3), "target": TARGET,
        "ok": value / baseline >= TARGET,
    }  # fmt: skip
    print(json.dumps(result))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
