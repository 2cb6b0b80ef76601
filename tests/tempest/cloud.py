"""The cloud that Tempest is run against: a service on a folder of its own, with images, flavors and accounts."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from click.testing import CliRunner

from nova_lite.cli.main import main
from nova_lite.hv import guests
from tests.serving import PATIENCE, Serving, state_folder

IMAGES = ("tempest", "tempest-alt")
#: Name, vCPUs, MiB, GiB: the second one is larger, so that servers can be resized to it.
FLAVORS = (("tempest", 1, 64, 1), ("tempest-alt", 1, 96, 2))
#: The same for the Linux of `nova-lite image build busybox`.
LINUX_FLAVORS = (("tempest", 1, 128, 1), ("tempest-alt", 1, 160, 2))
_IMAGE_DISK = 16 << 20  # bytes; the guest never looks at its disk
#: It says its command line, rests, and lets go of volumes: all that Tempest wants of a server.
_GUEST = guests.NOTHING_BOOTABLE
_CMDLINE = "".join(f"line {number} of a server of Tempest's\n" for number in range(20))

#: Several classes of tests work in one project after another, and a test that fails may leave a server behind.
_SETTINGS = {
    "OS_QUOTA__INSTANCES": "20",
    "OS_QUOTA__CORES": "40",
}
#: One processor that is emulated: what works at the same time only takes turns.
_IN_A_BOX = {"OS_API__WORKERS": "1"}


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
def cloud(driver: str, linux: Path | None = None) -> Iterator[Cloud]:
    """Runs while the block does; no process and no file is left afterwards.

    :param linux: cache of ``image build``; its busybox is the servers' image then.
    """
    with contextlib.ExitStack() as stack:
        state = stack.enter_context(state_folder())
        run = stack.enter_context(tempfile.TemporaryDirectory(prefix="nova-lite-run-"))
        os.chmod(run, 0o755)  # dnsmasq's user reads its files there
        stack.callback(_end_dnsmasq, Path(run))
        os.environ.update(_SETTINGS | ({} if linux is None else _IN_A_BOX), OS_NETWORK__RUN_PATH=run)
        serving = stack.enter_context(Serving(state, "--driver", driver))
        token = serving.log_in()
        networks = _networks(serving.url, token)
        services = _ask(serving.url, token, "/identity/v3/services")["services"]
        yield Cloud(
            url=serving.url,
            admin_password=_clouds(state)["auth"]["password"],
            images=_images(state) if linux is None else _linux_images(state, linux),
            flavors=_flavors(serving.url, token, FLAVORS if linux is None else LINUX_FLAVORS),
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


def accounts(cloud: Cloud, count: int) -> list[dict[str, Any]]:
    """Users for ``count`` classes of tests at once, in the form of Tempest's accounts.yaml.

    To each class a project with a user of each role, a second ("alt") one and an administrator's: what that one lists
    is not to be the others'. For "alt" Tempest takes the first user that is free: those who may write come first.
    """
    numbers = range(count)
    wanted: list[tuple[str, tuple[str, ...], str]]
    wanted = [(f"tempest-{number}-alt", ("member",), "alt_") for number in numbers]
    wanted += [(f"tempest-{number}-alt", (role,), "alt_") for number in numbers for role in ("reader", "manager")]
    wanted += [(f"tempest-{number}", (role,), "") for number in numbers for role in ("member", "reader", "manager")]
    wanted += [(f"tempest-{number}-admin", ("admin",), "") for number in numbers]
    wanted += [(f"tempest-{number}-service", ("admin", "service"), "") for number in numbers]
    ask, token = f"{cloud.url}/identity/v3", cloud.serving.log_in()
    roles = {role["name"]: role["id"] for role in _ask(ask, token, "/roles")["roles"]}
    projects = {
        name: _ask(ask, token, "/projects", {"project": {"name": name}})["project"]["id"]
        for name in sorted({project for project, _, _ in wanted})
    }
    made = []
    for project, held, label in wanted:
        name, password = f"{project}-{held[-1]}", secrets.token_urlsafe(12)
        user = _ask(ask, token, "/users", {"user": {"name": name, "password": password}})["user"]["id"]
        for role in held:
            _ask(ask, token, f"/projects/{projects[project]}/users/{user}/roles/{roles[role]}", method="PUT")
        entry: dict[str, Any] = {"username": name, "project_name": project, "password": password}
        entry |= {"domain_name": "Default", "roles": [label + role for role in held]}
        made.append(entry | ({"types": ["admin"]} if "admin" in held else {}))
    return made


def _images(state: Path) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk.raw"
        disk.touch()
        os.truncate(disk, _IMAGE_DISK)
        arguments = ("--kernel", str(_GUEST), "--cmdline", _CMDLINE, "--disk", str(disk), "--disk-format", "raw")
        first, second = (_run(state, "image", "add", name, *arguments).splitlines()[-1].strip() for name in IMAGES)
    return first, second


def _linux_images(state: Path, cache: Path) -> tuple[str, str]:
    command = ("image", "build", "busybox", "--cache", str(cache))
    first, second = (_run(state, *command, name).splitlines()[-1].strip() for name in IMAGES)
    return first, second


def _flavors(url: str, token: str, wanted: tuple[tuple[str, int, int, int], ...]) -> tuple[str, str]:
    ids = []
    for name, vcpus, memory, disk in wanted:
        flavor = {"name": name, "vcpus": vcpus, "ram": memory, "disk": disk}
        ids.append(_ask(url, token, "/v2.1/flavors", {"flavor": flavor})["flavor"]["id"])
    return ids[0], ids[1]


def _networks(url: str, token: str) -> dict[str, str]:
    """Ids by name; none where servers get no networks."""
    with contextlib.suppress(urllib.error.HTTPError):
        return {row["name"]: row["id"] for row in _ask(url, token, "/network/v2.0/networks")["networks"]}
    return {}


def _clouds(state: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((state / "clouds.yaml").read_text())["clouds"]["nova-lite"]
    return found


def _run(state: Path, *arguments: str) -> str:
    """A `nova-lite` command's output; in this process, as in an emulated machine each new one costs half a minute."""
    done = CliRunner().invoke(main, ["--state-path", str(state), *arguments], prog_name="nova-lite")
    if done.exit_code != 0:
        raise CloudFailed(f"`nova-lite {' '.join(arguments)}` failed:\n{done.output}") from done.exception
    return done.stdout


def _ask(url: str, token: str, path: str, body: Any = None, method: str | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json", "X-Auth-Token": token}
    request = urllib.request.Request(url + path, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.load(answer) if answer.status != 204 else None
