"""The cloud that Tempest is run against: a service on a folder of its own, with images, flavors and accounts."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from nova_lite.hv import guests
from tests.serving import COMMAND, PATIENCE, Serving, nova_lite, state_folder

IMAGES = ("tempest", "tempest-alt")
#: Name, vCPUs, MiB, GiB: the second one is larger, so that servers can be resized to it.
FLAVORS = (("tempest", 1, 64, 1), ("tempest-alt", 1, 96, 2))
_IMAGE_DISK = 16 << 20  # bytes; the guest never looks at its disk
#: It says its command line, rests, and lets go of volumes: all that Tempest wants of a server.
_GUEST = guests.NOTHING_BOOTABLE
_CMDLINE = "".join(f"line {number} of a server of Tempest's\n" for number in range(20))

#: Several classes of tests work in one project after another, and a test that fails may leave a server behind.
_SETTINGS = {
    "OS_QUOTA__INSTANCES": "20",
    "OS_QUOTA__CORES": "40",
}


class CloudFailed(Exception):
    """What the tests need could not be made."""


@dataclass(frozen=True)
class Cloud:
    """Where the service is and what Tempest needs to know of it. ``catalog``: types of the services that it names."""

    url: str
    admin_password: str
    images: tuple[str, str]
    flavors: tuple[str, str]
    catalog: frozenset[str]
    network: str | None
    public_network: str | None
    serving: Serving


@contextlib.contextmanager
def cloud(driver: str) -> Iterator[Cloud]:
    """Runs while the block does; no process and no file is left afterwards."""
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(state_folder())
        run = stack.enter_context(tempfile.TemporaryDirectory(prefix="nova-lite-run-"))
        os.chmod(run, 0o755)  # dnsmasq's user reads its files there
        stack.callback(_end_dnsmasq, Path(run))
        os.environ.update(_SETTINGS, OS_NETWORK__RUN_PATH=run)
        serving = stack.enter_context(Serving(state, "--driver", driver))
        token = serving.log_in()
        networks = _networks(serving)
        services = _ask(serving.url, token, "/identity/v3/services")["services"]
        yield Cloud(
            url=serving.url,
            admin_password=_clouds(state)["auth"]["password"],
            images=_images(state),
            flavors=_flavors(serving.url, token),
            catalog=frozenset(service["type"] for service in services),
            network=networks.get("private"),
            public_network=networks.get("public"),
            serving=serving,
        )


def _end_dnsmasq(run: Path) -> None:
    """Networks outlive the service, and those of servers that a broken-off run leaves behind outlive the run."""
    for path in run.rglob("dnsmasq.pid"):
        with contextlib.suppress(ProcessLookupError, ValueError):
            os.kill(int(path.read_text()), signal.SIGTERM)


def accounts(state: Path, count: int) -> list[dict[str, Any]]:
    """``count`` projects with a user of each role, in the form of Tempest's accounts.yaml."""
    made = []
    for project in (f"tempest-{number}" for number in range(count)):
        for role in ("member", "reader", "manager", "admin"):
            name, password = f"{project}-{role}", secrets.token_urlsafe(12)
            _run(state, "user", "create", name, "--project", project, "--role", role, "--password", given=password)
            entry: dict[str, Any] = {"username": name, "project_name": project, "password": password, "roles": [role]}
            made.append(entry | {"domain_name": "Default"} | ({"types": ["admin"]} if role == "admin" else {}))
    return made


def _images(state: Path) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk.raw"
        disk.touch()
        os.truncate(disk, _IMAGE_DISK)
        arguments = ("--kernel", str(_GUEST), "--cmdline", _CMDLINE, "--disk", str(disk), "--disk-format", "raw")
        first, second = (_run(state, "image", "add", name, *arguments).splitlines()[-1].strip() for name in IMAGES)
    return first, second


def _flavors(url: str, token: str) -> tuple[str, str]:
    ids = []
    for name, vcpus, memory, disk in FLAVORS:
        flavor = {"name": name, "vcpus": vcpus, "ram": memory, "disk": disk}
        ids.append(_ask(url, token, "/v2.1/flavors", {"flavor": flavor})["flavor"]["id"])
    return ids[0], ids[1]


def _networks(serving: Serving) -> dict[str, str]:
    done = nova_lite(serving.state, "network", "list", "--json")
    return {row["name"]: row["id"] for row in json.loads(done.stdout)} if done.returncode == 0 else {}


def _clouds(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((state / "clouds.yaml").read_text())["clouds"]["nova-lite"]
    return found


def _run(state: Path, *arguments: str, given: str = "") -> str:
    """A `nova-lite` command's output; ``given`` is what it reads."""
    command = [*COMMAND, "--state-path", str(state), *arguments]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE, check=False)
    if done.returncode != 0:
        raise CloudFailed(f"`nova-lite {' '.join(arguments)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def _ask(url: str, token: str, path: str, body: Any = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json", "X-Auth-Token": token}
    with urllib.request.urlopen(urllib.request.Request(url + path, data, headers), timeout=PATIENCE) as answer:
        return json.load(answer)
