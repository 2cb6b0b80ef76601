"""The demo's story, told by HTTP requests; every answer is checked. ``KEEP=1`` leaves the service running."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from demo.client import Call, Client
from demo.screen import Screen
from demo.service import PORT, Service, ServiceFailed

LATER = "2.96"
ACTIVE_WITHIN = 30.0  # seconds
LINES_SHOWN = 6


class NotAsExpected(Exception):
    """The service answered something else than the demo promises."""


class Story:
    """The main job, step by step. ``timings``: what took how long, in milliseconds."""

    def __init__(self, client: Client, screen: Screen) -> None:
        self._client = client
        self._screen = screen
        self.timings: list[tuple[str, float]] = []
        self.server_id = ""
        self._image = ""

    def tell(self) -> None:
        self._discovery()
        self._create()
        self._three_versions()
        self._console()
        self._refused_by_policy()
        self._version_hint()

    def delete(self) -> None:
        self._screen.heading("Delete it")
        begin = time.perf_counter()
        path = f"/v2.1/servers/{self.server_id}"
        self._screen.call(self._expect(204, "DELETE", path, version=LATER, caller="member"))
        call = self._wait(path, lambda call: call.status == 404)
        self._screen.call(call)
        self._time("DELETE /servers/{id} → gone", begin)

    def _discovery(self) -> None:
        self._screen.heading("Which versions are spoken here")
        call = self._expect(200, "GET", "/")
        _check({entry["id"] for entry in call.received["versions"]} >= {"v2.1", "v3.0"}, "v2.1 and v3.0 are listed")
        self._screen.call(call)

    def _create(self) -> None:
        self._screen.heading("Create a server: from the request to a running KVM guest")
        self._image, flavor = self._find_image("counting"), self._smallest_flavor()
        body = {"server": {"name": "demo", "imageRef": self._image, "flavorRef": flavor, "networks": "none"}}
        begin = time.perf_counter()
        created = self._expect(202, "POST", "/v2.1/servers", body, version=LATER, caller="member")
        self._time("POST /servers → 202, on disk", begin)
        self._screen.call(created)
        self.server_id = created.received["server"]["id"]
        path = f"/v2.1/servers/{self.server_id}"
        self._wait(path, lambda call: call.received["server"]["status"] == "ACTIVE")
        self._time("POST /servers → ACTIVE", begin)
        self._screen.note(f"  … status ACTIVE {self.timings[-1][1]:.0f} ms after the request was sent")

    def _three_versions(self) -> None:
        self._screen.heading("The same server in three versions of the API, from one controller")
        calls = [
            self._expect(200, "GET", f"{prefix}/servers/{self.server_id}", version=version, caller="member")
            for prefix, version in (("/v2.1", "2.1"), ("/v2.1", LATER), ("/v3", "3.0"))
        ]
        for call in calls:
            echoed = call.headers.get("openstack-api-version")
            _check(echoed == f"compute {call.version}", f"version {call.version} is echoed (got {echoed})")
        cut = -len(self.server_id)
        titles = [f"GET {call.path[:cut]}{{id}} {call.version}  {call.milliseconds:.1f} ms" for call in calls]
        self._screen.side_by_side(titles, [call.received for call in calls])
        self._time("GET /servers/{id}", None, min(call.milliseconds for call in calls))

    def _console(self) -> None:
        self._screen.heading("What the guest printed: a 16-bit loop that writes a counter to port 0x10")
        path = f"/v2.1/servers/{self.server_id}/action"
        body = {"os-getConsoleOutput": {"length": LINES_SHOWN}}
        call = self._expect(200, "POST", path, body, version=LATER, caller="member")
        self._screen.call(call, show={"output": "(below)"})
        lines = call.received["output"].splitlines()
        _check(bool(lines) and lines[0].startswith("out port: 16, data: "), f"the guest's output is there: {lines}")
        for line in lines:
            self._screen.line(f"    {line}")

    def _refused_by_policy(self) -> None:
        self._screen.heading("A reader may look, not create: refused by policy")
        body = {"server": {"name": "no", "imageRef": self._image, "flavorRef": "1", "networks": "none"}}
        call = self._expect(403, "POST", "/v2.1/servers", body, version=LATER, caller="reader")
        self._screen.call(call)

    def _version_hint(self) -> None:
        self._screen.heading("A key of a later version: the error names the version that takes it")
        body = {"server": {"name": "no", "imageRef": self._image, "flavorRef": "1", "tags": ["blue"]}}
        call = self._expect(400, "POST", "/v2.1/servers", body, version="2.1", caller="member")
        _check("2.52" in str(call.received), "the error names microversion 2.52")
        self._screen.call(call)

    def _find_image(self, name: str) -> str:
        images = self._expect(200, "GET", "/v3/images", version="3.0", caller="member").received["images"]
        return str(next(image["id"] for image in images if image["name"] == name))

    def _smallest_flavor(self) -> str:
        call = self._expect(200, "GET", "/v2.1/flavors/detail?sort_key=memory_mb", version=LATER, caller="member")
        return str(call.received["flavors"][0]["id"])

    def _expect(self, status: int, method: str, path: str, body: Any = None, **options: str) -> Call:
        call = self._client.call(method, path, body, **options)
        if call.status != status:
            raise NotAsExpected(f"{method} {path}: expected {status}, got {call.status}: {call.received}")
        return call

    def _wait(self, path: str, done: Any) -> Call:
        """Ask again until the answer is as wished; a server in ERROR ends the wait."""
        deadline = time.monotonic() + ACTIVE_WITHIN
        while True:
            call = self._client.call("GET", path, version=LATER, caller="member")
            if done(call):
                return call
            server = (call.received or {}).get("server", {})
            if server.get("status") == "ERROR" or time.monotonic() > deadline:
                raise NotAsExpected(f"GET {path}: {call.status}, {server.get('status')}: {server.get('fault')}")
            time.sleep(0.002)  # the client's side of an API that is asked, not one that calls back

    def _time(self, what: str, begin: float | None, milliseconds: float = 0.0) -> None:
        self.timings.append((what, (time.perf_counter() - begin) * 1000 if begin is not None else milliseconds))


def _check(true: bool, promise: str) -> None:
    if not true:
        raise NotAsExpected(promise)


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    keep = os.environ.get("KEEP", "0") not in ("", "0")
    screen = Screen()
    service = Service()
    kept = False
    try:
        if service.port_taken:
            screen.note(f"Port {PORT} is taken by another program: this demo takes a free one.")
        seconds = service.start()
        screen.line(f"nova-lite serve is ready at {service.url} after {seconds:.1f} s (state in {service.state})")
        client = service.client()
        story = Story(client, screen)
        story.tell()
        if not keep:
            story.delete()
        client.close()
        screen.heading("How long it took")
        for what, milliseconds in story.timings:
            screen.line(f"  {what:32} {milliseconds:7.1f} ms")
        kept = keep
        return 0
    except (NotAsExpected, ServiceFailed) as error:
        screen.line(f"\nNOT AS EXPECTED  {error}")
        return 1
    except KeyboardInterrupt:
        screen.line("\nInterrupted; cleaning up.")
        return 130
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if kept:
            _say_how_to_reach(service, screen)
        else:
            service.stop()
            screen.note("\nService, VMs and state folder are gone again.")


def _say_how_to_reach(service: Service, screen: Screen) -> None:
    screen.heading("Left running (KEEP=1)")
    token = service.run("token", "create", "-q", "--project", "demo", "--role", "admin")
    command = f"{sys.executable.rsplit('/', 1)[0]}/nova-lite --state-path {service.state}"
    screen.line(f"  reach it  curl -s -H 'X-Auth-Token: {token}' {service.url}/v2.1/servers/detail")
    screen.line(f"            export OS_CLIENT_CONFIG_FILE={service.state}/clouds.yaml OS_CLOUD=nova-lite")
    screen.line(f"  its log   {service.log}")
    screen.line(f"  stop it   kill {service.pid}; tail --pid={service.pid} -f /dev/null")  # waits for its end
    screen.line(f"            {command} vm stop --all; rm -r {service.state}")


if __name__ == "__main__":
    sys.exit(main())
