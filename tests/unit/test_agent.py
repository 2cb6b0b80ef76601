"""The agent at work: every verb from request to end, events of guests, starts and stops of the agent itself."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from nova_lite import exceptions
from nova_lite.compute.agent import AlreadyRunning
from nova_lite.db import images
from nova_lite.hv.driver import MachineInfo, MachineSpec, PowerState
from tests.functional.disk_driver import DiskDriver
from tests.unit.computing import BAD_IMAGE, HOST, IMAGE, UNSTARTABLE_IMAGE, Computing, eventually


def test_every_verb_ends_in_its_state(hosting: Computing) -> None:
    hosting.start_agent()
    api, me = hosting.api, hosting.me
    made = hosting.create()
    active = hosting.settled(made, "active")
    assert (active.power_state, active.fault) == (1, None)
    assert active.launched_at is not None
    for verb, vm_state, power_state in [
        (lambda: api.pause(me, made), "paused", 3),
        (lambda: api.unpause(me, made), "active", 1),
        (lambda: api.stop(me, made), "stopped", 4),
        (lambda: api.start(me, made), "active", 1),
        (lambda: api.reboot(me, made, hard=False), "active", 1),
        (lambda: api.stop(me, made), "stopped", 4),
        (lambda: api.reboot(me, made, hard=True), "active", 1),
    ]:
        verb()
        found = hosting.settled(made, vm_state)
        assert found.power_state == power_state
        assert int(hosting.driver.info(made.uuid).power_state) == power_state
        assert found.launched_at == active.launched_at
    api.delete(me, made)
    gone = hosting.settled(made, "deleted")
    assert gone.deleted
    assert gone.terminated_at is not None
    assert not hosting.driver.exists(made.uuid)
    with pytest.raises(exceptions.NotFound):
        api.get(me, made.uuid)
    actions = [(op.action, op.state, op.attempts) for op in hosting.operations(made)]
    verbs = ("create", "pause", "unpause", "stop", "start", "reboot", "stop", "reboot", "delete")
    assert actions == [(verb, "done", 1) for verb in verbs]


def test_an_operation_shows_its_event_under_novas_name(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    operation = hosting.api.get_operation(hosting.me, made.uuid, hosting.me.request_id)
    (event,) = operation.events
    assert (event.name, event.result, event.host) == ("compute__do_build_and_run_instance", "Success", HOST)
    assert event.finish_time is not None
    assert operation.start_time <= event.start_time <= event.finish_time
    with pytest.raises(exceptions.NotFound, match="Action req-none not found"):
        hosting.api.get_operation(hosting.me, made.uuid, "req-none")


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (BAD_IMAGE, "The kernel bad.bin cannot be booted: it is no kernel."),
        (UNSTARTABLE_IMAGE, "The guest cannot be started: no memory is left on the host."),
    ],
)
def test_a_server_that_cannot_be_built_says_why_and_can_be_deleted(
    hosting: Computing, image: str, message: str
) -> None:
    hosting.start_agent()
    made = hosting.create(image_ref=image)
    failed = hosting.settled(made, "error")
    assert failed.fault is not None
    assert (failed.fault.code, failed.fault.message) == (500, message)
    assert failed.launched_at is None
    (operation,) = hosting.operations(made)
    assert (operation.state, operation.message) == ("failed", message)
    with pytest.raises(exceptions.Conflict, match="invalid state for 'stop'"):
        hosting.api.stop(hosting.me, made)
    hosting.api.delete(hosting.me, made)
    hosting.settled(made, "deleted")
    assert not hosting.driver.exists(made.uuid)


def test_a_failed_start_leaves_the_server_stopped_with_a_fault(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.api.stop(hosting.me, made)
    hosting.settled(made, "stopped")
    with hosting.database.write() as connection:
        images.delete(connection, IMAGE)  # as nobody does who uses `nova-lite image remove`
    hosting.api.start(hosting.me, made)
    found = hosting.settled(made, "stopped")
    assert found.fault is not None
    assert found.fault.message == f"The image {IMAGE} of this server is no longer there."
    assert hosting.operations(made)[-1].state == "failed"


def test_a_driver_that_breaks_makes_a_failure_not_a_hang(hosting: Computing) -> None:
    class Broken(DiskDriver):
        def power_on(self, spec: MachineSpec) -> MachineInfo:
            raise ZeroDivisionError("bug")

    hosting.start_agent(Broken(hosting.driver.root))
    made = hosting.create()
    failed = hosting.settled(made, "error")
    assert failed.fault is not None
    assert "bug" not in failed.fault.message
    assert "ZeroDivisionError: bug" in (failed.fault.details or "")


def test_work_waits_for_an_agent_that_is_not_there(hosting: Computing) -> None:
    made = hosting.create()
    assert hosting.get(made).vm_state == "building"
    hosting.start_agent()
    hosting.settled(made, "active")


class Gate(DiskDriver):
    """Holds up power_on until the test opens the gate."""

    def __init__(self, hosting: Computing) -> None:
        super().__init__(hosting.driver.root)
        self.entered, self.open = threading.Semaphore(0), threading.Event()
        self.inside = 0

    def power_on(self, spec: MachineSpec) -> MachineInfo:
        self.inside += 1
        self.entered.release()
        assert self.open.wait(60)
        return super().power_on(spec)


def test_delete_works_while_spawning(hosting: Computing) -> None:
    gate = Gate(hosting)
    hosting.start_agent(gate)
    made = hosting.create()
    gate.entered.acquire()
    assert hosting.get(made).task_state == "spawning"
    hosting.api.delete(hosting.me, made)
    assert hosting.get(made).task_state == "deleting"
    gate.open.set()
    hosting.becomes(made, "deleted")
    assert not gate.exists(made.uuid)
    create, delete = hosting.operations(made)
    assert (create.state, create.message) == ("failed", "Given up: the server is being deleted.")
    assert delete.state == "done"


def test_servers_are_worked_on_side_by_side_and_each_in_order(hosting: Computing) -> None:
    gate = Gate(hosting)
    hosting.start_agent(gate)
    made = [hosting.create() for _ in range(6)]
    for _ in range(4):  # parallel_operations
        gate.entered.acquire()
    assert gate.inside == 4
    hosting.api.delete(hosting.me, made[0])  # a fifth thing to do, but its server is in work
    gate.open.set()
    for each in made[1:]:
        hosting.settled(each, "active")
    hosting.becomes(made[0], "deleted")
    assert len({gate.boots(each.uuid) for each in made[1:]}) == 1


@pytest.mark.parametrize("task_state", ["scheduling", "spawning", "powering-off", "rebooting_hard", "deleting", "odd"])
@pytest.mark.parametrize("vm_state", ["building", "active", "stopped", "paused", "error"])
def test_delete_works_in_every_state(hosting: Computing, vm_state: str, task_state: str) -> None:
    made = hosting.create()
    hosting.set_row(made, vm_state=vm_state, task_state=task_state)
    hosting.api.delete(hosting.me, made)
    hosting.api.delete(hosting.me, made)  # again, while the first is still to be done
    hosting.start_agent()
    hosting.becomes(made, "deleted")
    assert [op.state for op in hosting.operations(made)] == ["failed", "done"]
    with pytest.raises(exceptions.NotFound):
        hosting.api.delete(hosting.me, made)


def test_the_console_and_diagnostics_come_through_the_node_api(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    for number in (2, 3):
        hosting.api.reboot(hosting.me, made, hard=True)
        hosting.settled(made, "active")
        assert hosting.driver.boots(made.uuid) == number
    api = hosting.api
    hosting.driver.write_console(made.uuid, b"login \xff\x0b: ")
    whole = "boot 1\nboot 2\nboot 3\nlogin \ufffd\x0b: "
    assert api.console_output(hosting.me, made) == whole
    assert api.console_output(hosting.me, made, 1) == "login \ufffd\x0b: "
    assert api.console_output(hosting.me, made, 2) == "boot 3\nlogin \ufffd\x0b: "
    assert api.console_output(hosting.me, made, 99) == whole
    assert api.console_output(hosting.me, made, 0) == ""
    diagnostics = api.diagnostics(hosting.me, hosting.get(made))
    assert (diagnostics.cpus, diagnostics.disks, diagnostics.cards) == ([0], {}, [])
    assert (diagnostics.uptime, diagnostics.memory_rss) == (None, None)  # its VMs have no processes
    hosting.stop_agent()
    with pytest.raises(exceptions.Unavailable, match=f"Compute service of {HOST} is unavailable"):
        api.console_output(hosting.me, made)
    with pytest.raises(exceptions.Conflict, match="is not ready"):
        api.console_output(hosting.me, hosting.create())


# -- what guests do ----------------------------------------------------------------------------------------------


def test_a_guest_that_powers_itself_off_is_stopped(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.driver.guest(made.uuid, "shutdown")
    assert hosting.becomes(made, "stopped").power_state == 4
    hosting.api.start(hosting.me, made)
    hosting.settled(made, "active")


def test_a_guest_that_crashes_is_in_error_with_the_detail(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.driver.guest(made.uuid, "crashed")
    crashed = hosting.becomes(made, "error")
    assert crashed.power_state == 6
    assert crashed.fault is not None
    said = "The guest crashed: triple fault at rip 0x1000. Its console output shows what it wrote before."
    assert crashed.fault.message == said
    hosting.api.reboot(hosting.me, made, hard=True)
    assert hosting.settled(made, "active").fault is None


def test_a_vm_that_dies_is_started_again_but_not_for_ever(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    for boots in (2, 3, 4):
        hosting.driver.guest(made.uuid, "gone")
        eventually(lambda boots=boots: hosting.driver.boots(made.uuid) == boots, "it is started again")
        hosting.settled(made, "active")
    hosting.driver.guest(made.uuid, "gone")
    failed = hosting.becomes(made, "error")
    assert failed.fault is not None
    assert "ended 3 times" in failed.fault.message


def test_a_guest_that_reboots_itself_stays_active(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.driver.guest(made.uuid, "reset")
    hosting.driver.guest(made.uuid, "shutdown")  # events keep their order: this one ends the wait
    hosting.becomes(made, "stopped")
    assert [op.action for op in hosting.operations(made)] == ["create"]


# -- starts and stops of the agent -------------------------------------------------------------------------------


def test_servers_go_on_without_an_agent_and_are_adopted(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.stop_agent()
    assert hosting.driver.info(made.uuid).power_state is PowerState.RUNNING
    hosting.start_agent()
    hosting.api.stop(hosting.me, made)
    hosting.settled(made, "stopped")
    assert hosting.driver.boots(made.uuid) == 1


@pytest.mark.parametrize(
    ("happened", "vm_state", "power_state", "boots"),
    [("shutdown", "stopped", 4, 1), ("crashed", "error", 6, 1), ("gone", "active", 1, 2)],
)
def test_what_happened_without_an_agent_is_seen_by_the_next(
    hosting: Computing, happened: str, vm_state: str, power_state: int, boots: int
) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.stop_agent()
    silently(hosting, made.uuid, happened)
    hosting.start_agent()
    if happened == "gone":
        eventually(lambda: hosting.driver.boots(made.uuid) == boots, "it is started again")
    found = hosting.becomes(made, vm_state)
    assert (found.power_state, hosting.driver.boots(made.uuid)) == (power_state, boots)


def silently(hosting: Computing, uuid: str, kind: str) -> None:
    """What a guest does while nobody listens; ``running``: a VM that was booted behind our back."""
    if kind == "running":
        kernel = hosting.paths.state / "good.bin"
        hosting.driver.power_on(MachineSpec(uuid, "server", 1, 16, kernel, "flat16"))
    else:
        hosting.driver.guest(uuid, kind)


def test_a_paused_server_whose_vm_is_gone_is_paused_again(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.api.pause(hosting.me, made)
    hosting.settled(made, "paused")
    hosting.stop_agent()
    silently(hosting, made.uuid, "gone")
    hosting.start_agent()
    eventually(lambda: hosting.driver.info(made.uuid).power_state is PowerState.PAUSED, "it is paused again")
    assert hosting.get(made).vm_state == "paused"


def test_vms_that_are_gone_stay_off_when_so_configured(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.stop_agent()
    silently(hosting, made.uuid, "gone")
    hosting.conf.set_override("resume_guests_state_on_host_boot", False, group="compute")
    hosting.start_agent()
    assert hosting.becomes(made, "stopped").power_state == 4
    assert hosting.driver.boots(made.uuid) == 1


def test_a_stopped_server_whose_vm_runs_is_ended(hosting: Computing) -> None:
    hosting.start_agent()
    made = hosting.running()
    hosting.api.stop(hosting.me, made)
    hosting.settled(made, "stopped")
    hosting.stop_agent()
    silently(hosting, made.uuid, "running")
    hosting.start_agent()
    eventually(lambda: hosting.driver.info(made.uuid).power_state is PowerState.SHUTDOWN, "the VM is ended")


def test_orphans_are_removed(hosting: Computing) -> None:
    hosting.start_agent()
    kept, deleted = hosting.running(), hosting.running()
    hosting.stop_agent()
    hosting.set_row(deleted, deleted=True, vm_state="deleted")
    unknown = "99999999-9999-4999-8999-999999999999"
    silently(hosting, unknown, "running")
    hosting.start_agent()
    for uuid in (deleted.uuid, unknown):
        eventually(lambda uuid=uuid: not hosting.driver.exists(uuid), "the orphan is removed")
    assert hosting.driver.info(kept.uuid).power_state is PowerState.RUNNING


def test_states_that_nothing_would_ever_end_are_ended(hosting: Computing) -> None:
    hosting.start_agent()
    active, building = hosting.running(), hosting.running()
    hosting.stop_agent()
    hosting.set_row(active, task_state="powering-off")
    hosting.set_row(building, vm_state="building", task_state="spawning")
    hosting.start_agent()
    eventually(lambda: hosting.get(active).task_state is None, "the leftover task state is cleared")
    assert hosting.get(active).vm_state == "active"
    cut_off = hosting.becomes(building, "error")
    assert cut_off.fault is not None
    assert cut_off.fault.message == "The build of this server was cut off."
    hosting.api.delete(hosting.me, building)
    hosting.becomes(building, "deleted")


def test_a_second_agent_on_the_same_state_is_refused(hosting: Computing) -> None:
    hosting.start_agent()
    from nova_lite.compute.agent import Agent

    with pytest.raises(AlreadyRunning, match="Another agent"):
        Agent(hosting.conf, DiskDriver(hosting.driver.root)).start()


def test_stopping_hands_unfinished_work_to_the_next_agent(hosting: Computing, monkeypatch: Any) -> None:
    monkeypatch.setattr("nova_lite.compute.agent._FINISH_SECONDS", 0.1)
    gate = Gate(hosting)
    hosting.start_agent(gate)
    made = hosting.create()
    gate.entered.acquire()
    hosting.stop_agent()
    (operation,) = hosting.operations(made)
    assert (operation.state, operation.attempts) == ("pending", 0)
    gate.open.set()
    hosting.start_agent()
    hosting.settled(made, "active")
    assert hosting.driver.boots(made.uuid) == 1


def test_the_first_start_fills_an_empty_database(hosting: Computing) -> None:
    hosting.start_agent()
    names = {image.name for image in hosting.api.list_images(hosting.me)}
    assert {"counting", "interactive"} <= names
    (hypervisor,) = hosting.api.list_hypervisors(hosting.admin)
    assert hypervisor.disk_available_least is not None
    assert " up " in str(hypervisor.uptime)
    (service,) = hosting.api.list_services(hosting.admin)
    assert (hypervisor.hypervisor_type, hypervisor.vcpus, hypervisor.service) == ("fake", 8, service)
    assert (service.binary, service.host, service.state) == ("nova-compute", HOST, "up")
    for image in hosting.api.list_images(hosting.me):
        hosting.store.remove(image.id)
    hosting.stop_agent()
    hosting.start_agent()
    assert hosting.api.list_images(hosting.me) == []  # what was removed does not come back
    assert [each.uuid for each in hosting.api.list_hypervisors(hosting.admin)] == [hypervisor.uuid]
