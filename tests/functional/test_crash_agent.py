"""kill -9 of the agent before and after every step of an operation: the next agent brings it to its end.

VMs are files here, so that they survive as real ones do; tests/kvm does the same with real ones.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nova_lite import objects
from nova_lite.compute import networks
from nova_lite.compute.plans import PLANS
from nova_lite.hv.driver import PowerState
from tests.unit.computing import HOST, Computing, eventually

PATIENCE = 60.0

ROOT = Path(__file__).parent.parent.parent
ACTIONS = ("create", "stop", "start", "reboot", "pause", "unpause", "suspend", "resume", "delete")


@pytest.fixture
def hosting(tmp_path: Path) -> Iterator[Computing]:
    made = Computing(tmp_path / "state", None)
    yield made
    made.close()


def crash_points(action: str) -> list[str]:
    steps = ["claim", *(name for name, _ in PLANS[action].steps), "end"]
    return [f"{action}:{step}:{moment}" for step in steps for moment in ("before", "after")]


def run_until_crash(hosting: Computing, point: str, driver: str = "disk") -> None:
    """An agent that must end by SIGKILL at that point."""
    command = [sys.executable, "-m", "tests.functional.crash_processes", "agent", str(hosting.paths.state), driver]
    log = hosting.paths.state / "agent.log"
    with open(log, "ab") as output:
        agent = subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"NOVA_LITE_CRASH_AT": point}, stdout=output, stderr=output
        )
        try:
            code = agent.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            agent.kill()
            agent.wait()
            code = None
    assert code == -signal.SIGKILL, f"the agent did not end at {point}: {code}\n{log.read_text()}"


def request(hosting: Computing, action: str) -> objects.Instance:
    """A server in the state that the action needs, and the action accepted for it. No agent runs afterwards."""
    if action == "create":
        return hosting.create()
    hosting.start_agent()
    made = hosting.running()
    needed = {
        "start": ("stop", "stopped"),
        "unpause": ("pause", "paused"),
        "resume": ("suspend", "suspended"),
    }.get(action)
    if needed is not None:
        getattr(hosting.api, needed[0])(hosting.me, made)
        hosting.settled(made, needed[1])
    hosting.stop_agent()
    verbs: dict[str, Callable[[], None]] = {
        "reboot": lambda: hosting.api.reboot(hosting.me, made, hard=False),
    }
    verbs.get(action, lambda: getattr(hosting.api, action)(hosting.me, made))()
    return made


def assert_all_agree(hosting: Computing, made: objects.Instance, vm_state: str) -> None:
    """Row, journal, events, VM and socket tell one story; only the servers that exist have VMs."""
    found = hosting.settled(made, vm_state)
    for operation in hosting.operations(made):
        assert operation.state == "done", (operation.action, operation.state, operation.message)
        with hosting.database.read() as connection:
            events = connection.exec_driver_sql(
                "SELECT finish_time, result FROM operation_events WHERE operation_id = ?", (operation.id,)
            ).all()
        assert all(finish_time for finish_time, _ in events), "an event that never ended"
        assert [result for _, result in events][-1] == "Success"
    if vm_state == "deleted":
        assert not hosting.driver.exists(made.uuid)
        assert hosting.driver.list() == []
    else:
        expected = {"active": PowerState.RUNNING, "stopped": PowerState.SHUTDOWN, "paused": PowerState.PAUSED}
        expected["suspended"] = PowerState.SHUTDOWN
        assert hosting.driver.info(made.uuid).power_state is expected[vm_state]
        assert found.power_state == int(expected[vm_state])
        assert [machine.uuid for machine in hosting.driver.list()] == [made.uuid]
    assert hosting.api.agent.call("Agent.ping", {})["pid"] == os.getpid()


@pytest.mark.parametrize("point", [point for action in ACTIONS for point in crash_points(action)])
def test_an_accepted_operation_survives_the_agents_end_at(hosting: Computing, point: str) -> None:
    action = point.partition(":")[0]
    made = request(hosting, action)
    run_until_crash(hosting, point)
    hosting.start_agent()
    ends = {"stop": "stopped", "pause": "paused", "suspend": "suspended", "delete": "deleted"}
    assert_all_agree(hosting, made, ends.get(action, "active"))
    operation = hosting.operations(made)[-1]
    already_ended, never_claimed = point.endswith(":end:after"), point.endswith(":claim:before")
    assert operation.attempts == (1 if already_ended or never_claimed else 2)
    if action == "create":
        assert hosting.driver.boots(made.uuid) == 1  # run again does not mean booted again


@pytest.mark.parametrize("point", ["attach_interface:plug:after", "detach_interface:unplug:after"])
def test_cards_come_and_go_although_the_agent_ends_at(hosting: Computing, point: str) -> None:
    hosting.conf.set_override("driver", "fake", group="compute")
    networks.create_network(hosting.database, HOST, "blue", "10.5.0.0/24", is_default=True)
    hosting.start_agent()
    made = hosting.running()
    hosting.stop_agent()
    (first,) = hosting.api.ports([made.uuid])[made.uuid]
    if point.startswith("attach"):
        hosting.api.attach_interface(hosting.me, made)
    else:
        hosting.api.detach_interface(hosting.me, made, first.id)
    run_until_crash(hosting, point)
    hosting.start_agent()
    assert_all_agree(hosting, made, "active")
    found = hosting.api.ports([made.uuid]).get(made.uuid, [])
    assert [card.plugged for card in found] == ([True, True] if point.startswith("attach") else [])


def test_a_server_deleted_while_its_builder_died_is_deleted(hosting: Computing) -> None:
    made = hosting.create()
    run_until_crash(hosting, "create:boot:after")
    assert hosting.driver.info(made.uuid).power_state is PowerState.RUNNING
    hosting.api.delete(hosting.me, made)
    hosting.start_agent()
    hosting.becomes(made, "deleted")
    eventually(lambda: hosting.driver.list() == [], "nothing is left of it")
    assert [op.state for op in hosting.operations(made)] == ["failed", "done"]


def test_an_operation_that_kills_every_agent_is_given_up(hosting: Computing) -> None:
    made = hosting.create()
    for _ in range(3):
        run_until_crash(hosting, "create:boot:before")
    hosting.start_agent()
    failed = hosting.settled(made, "error")
    assert failed.fault is not None
    assert failed.fault.message == "Given up: the host's agent ended 3 times while it worked on this."
    assert hosting.operations(made)[0].state == "failed"
    hosting.api.delete(hosting.me, made)
    hosting.becomes(made, "deleted")


def test_a_delete_that_kills_every_agent_can_be_asked_for_again(hosting: Computing) -> None:
    made = request(hosting, "delete")
    for _ in range(3):
        run_until_crash(hosting, "delete:destroy:before")
    hosting.start_agent()
    hosting.settled(made, "error")
    hosting.api.delete(hosting.me, made)
    hosting.becomes(made, "deleted")
    assert hosting.driver.list() == []
