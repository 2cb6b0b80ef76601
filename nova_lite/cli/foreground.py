"""What ``nova-lite serve`` becomes when all is prepared: a small process that watches the others.

The command itself reads the configuration, speaks to the database and needs whole libraries for that, some 40 MiB.
None of it is wanted afterwards, so it lets this program take its place (execve: the same process, for a shell or
systemd), with the sockets and the lock that it has open. Import nothing large here.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn

from nova_lite import __version__, log
from nova_lite.cli.supervisor import HANDLED, Child, StartFailed, Supervisor
from nova_lite.hv.vmm.api_socket import lock_holder
from nova_lite.notify import notify
from nova_lite.paths import Paths

READY_WITHIN = 300.0  # seconds; a busy machine takes its time to load all that Python
# -P: what lies in the folder where somebody typed `nova-lite serve` is not imported
PYTHON = (sys.executable, "-P")


@dataclass(frozen=True)
class Plan:
    """What is to run, and where. JSON on its way from one program to the next.

    ``children``: name, argv, environment and pass_fds of each. ``started``: CLOCK_MONOTONIC. ``lock_fd`` is held while
    this process lives; on ``notify_fd`` the agent says that it is ready.
    """

    state_path: str
    address: tuple[str, int]
    url: str
    started: float
    lock_fd: int
    notify_fd: int
    log_file: str | None
    debug: bool
    children: list[dict[str, Any]] = field(default_factory=list)

    def descriptors(self) -> set[int]:
        passed = {descriptor for child in self.children for descriptor in child["pass_fds"]}
        return passed | {self.lock_fd, self.notify_fd}


def become(plan: Plan) -> NoReturn:
    """Run ``plan`` in place of the program that calls; what it has open and the plan does not name is closed."""
    handed_over = os.memfd_create("nova-lite-serve")
    with open(handed_over, "w", encoding="utf-8", closefd=False) as file:
        json.dump(asdict(plan), file)
    for descriptor in (handed_over, *plan.descriptors()):
        os.set_inheritable(descriptor, True)
    sys.stdout.flush()
    sys.stderr.flush()
    # A signal now would find a program that does not handle it yet: it waits for Supervisor.run.
    signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED)
    os.execv(sys.executable, [*PYTHON, "-m", "nova_lite.cli.foreground", "--plan-fd", str(handed_over)])


def _read_plan(descriptor: int) -> Plan:
    with open(descriptor, encoding="utf-8") as file:
        file.seek(0)
        plan = Plan(**json.load(file))
    for inherited in plan.descriptors():
        os.set_inheritable(inherited, False)  # each child is given its own
    return plan


def wait_ready(receiver: socket.socket, address: tuple[str, int]) -> None:
    """Return when the agent has said that it is ready and the API answers that it sees it.

    :raises StartFailed: they do not; TimeoutError when they say nothing.
    """
    receiver.settimeout(READY_WITHIN)
    try:
        while b"READY=1" not in receiver.recv(4096).splitlines():
            pass
    except TimeoutError as error:
        raise TimeoutError(f"the agent said nothing for {READY_WITHIN:.0f} s") from error
    health = _health(address)
    if down := [name for name, state in health.items() if state == "down" and name != "status"]:
        raise StartFailed(f"the API says that its {' and '.join(down)} does not answer")


def _health(address: tuple[str, int]) -> dict[str, str]:
    """What the API says of itself. (http.client would bring the whole of OpenSSL into this process.)"""
    with socket.create_connection(address, timeout=READY_WITHIN) as connection:
        # The request waits in the listening socket's backlog until a worker takes it.
        connection.sendall(b"GET /healthcheck HTTP/1.0\r\nHost: localhost\r\n\r\n")
        with connection.makefile("rb") as answer:
            document: dict[str, str] = json.loads(answer.read().partition(b"\r\n\r\n")[2])
    return document


def _running(paths: Paths) -> int:
    """How many VMs of this state folder run."""
    if not paths.instances.is_dir():
        return 0
    return sum(lock_holder(paths.vmm_socket(folder.name)) is not None for folder in paths.instances.iterdir())


def _vms_in_words(running: int) -> str:
    return {0: "no VM runs", 1: "1 VM runs"}.get(running, f"{running} VMs run")


def _say(text: str) -> None:
    print(text, flush=True)


def _say_goodbye(paths: Paths, ended_by: signal.Signals) -> None:
    running = _running(paths)
    _say(f"\nStopped by {ended_by.name}; {_vms_in_words(running)}.")
    if running:
        _say("VMs go on: `nova-lite serve` finds them again, `nova-lite vm stop --all` ends them.")


def run(plan: Plan) -> None:
    """Until a signal ends it. :raises StartFailed: the service did not become ready."""
    paths = Paths(plan.state_path)

    def say_ready() -> None:
        seconds, running = time.monotonic() - plan.started, _vms_in_words(_running(paths))
        _say(f"nova-lite {__version__} is ready: {plan.url}  ({seconds:.1f} s, {running})")
        _say("Ctrl-C stops the service; VMs go on.")
        notify("READY=1")

    with socket.socket(fileno=plan.notify_fd) as notified:
        path = notified.getsockname()
        try:
            children = [Child(**child) for child in plan.children]
            ended_by = Supervisor(children, lambda: wait_ready(notified, plan.address), say_ready).run()
        finally:
            os.unlink(path)
    notify("STOPPING=1")
    _say_goodbye(paths, ended_by)


def main() -> int:
    parser = argparse.ArgumentParser(description="The second half of `nova-lite serve`; started by it.")
    parser.add_argument("--plan-fd", type=int, required=True)
    plan = _read_plan(parser.parse_args().plan_fd)
    log.begin(plan.log_file, plan.debug)
    try:
        run(plan)
    except StartFailed as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
