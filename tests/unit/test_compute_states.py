"""The state machine: what is legal where, and the sentence for what is not."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nova_lite import exceptions, objects
from nova_lite.compute import states

UUID = "8d0c5bd4-1d65-4e8b-8b3f-5f5c4f1c0000"
VM_STATES = ("building", "active", "stopped", "paused", "error", "suspended", "deleted")

# Nova's rules for servers that are idle and came up once.
LEGAL = {
    states.START: {"stopped"},
    states.STOP: {"active", "error"},
    states.PAUSE: {"active"},
    states.UNPAUSE: {"paused"},
    states.REBOOT: {"active"},
    states.REBOOT_HARD: {"active", "stopped", "paused", "suspended", "error"},
    states.EVACUATE: {"active", "stopped", "error"},
    states.DELETE: set(VM_STATES),
}


def server(vm_state: str, task_state: str | None = None, launched: bool = True) -> objects.Instance:
    return objects.Instance(
        uuid=UUID,
        project_id="p1",
        user_id="u1",
        display_name="n",
        hostname="n",
        flavor=objects.Flavor("40", "m1.pico", 1, 16),
        image_ref="i",
        host="h1",
        vm_state=vm_state,
        task_state=task_state,
        launched_at=datetime.now(UTC) if launched else None,
    )


@pytest.mark.parametrize("vm_state", VM_STATES)
@pytest.mark.parametrize("verb", LEGAL, ids=lambda verb: verb.task_state or verb.action)
def test_a_verb_is_legal_just_where_nova_has_it(verb: states.Verb, vm_state: str) -> None:
    if vm_state in LEGAL[verb]:
        states.check(verb, server(vm_state))
        return
    with pytest.raises(exceptions.Conflict) as refusal:
        states.check(verb, server(vm_state))
    assert str(refusal.value) == f"Cannot '{verb.action}' instance {UUID} while it is in vm_state {vm_state}"


def test_a_busy_server_takes_no_second_verb() -> None:
    with pytest.raises(exceptions.Conflict, match="while it is in task_state powering-off$"):
        states.check(states.STOP, server("active", "powering-off"))


@pytest.mark.parametrize("task_state", ["rebooting", "reboot_started_hard", "pausing", None])
def test_a_hard_reboot_may_overtake_some_tasks(task_state: str | None) -> None:
    states.check(states.REBOOT_HARD, server("active", task_state))


@pytest.mark.parametrize("task_state", ["powering-off", "spawning", "deleting"])
def test_a_hard_reboot_does_not_overtake_others(task_state: str) -> None:
    with pytest.raises(exceptions.Conflict, match="'reboot'"):
        states.check(states.REBOOT_HARD, server("active", task_state))


def test_a_server_that_never_came_up_can_only_be_deleted() -> None:
    with pytest.raises(exceptions.Conflict, match=f"^Instance {UUID} is in an invalid state for 'stop'$"):
        states.check(states.STOP, server("error", launched=False))
    states.check(states.DELETE, server("error", launched=False))


def test_a_lock_stops_everyone_but_administrators() -> None:
    locked = server("active")
    locked.locked = True
    states.check_lock(locked, is_admin=True)
    with pytest.raises(exceptions.Conflict, match=f"^Instance {UUID} is locked$"):
        states.check_lock(locked, is_admin=False)
    locked.locked = False
    states.check_lock(locked, is_admin=False)
