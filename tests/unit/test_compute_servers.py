"""Verbs on servers without an agent: visibility, lists, updates, locks, evacuation, and what a crash could tear."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nova_lite import exceptions, objects
from nova_lite.db import hosts, instances
from nova_lite.db.tables import services
from tests.unit.computing import HOST, Computing


def active(computing: Computing, **wanted: Any) -> objects.Instance:
    """A server that the database takes for active, with nothing outstanding."""
    made = computing.create(**wanted)
    with computing.database.write() as connection:
        connection.exec_driver_sql("UPDATE operations SET state = 'done'")
    computing.set_row(made, vm_state="active", task_state=None, power_state=1, launched_at=datetime.now(UTC))
    return computing.get(made)


def test_a_strangers_server_does_not_exist(computing: Computing) -> None:
    made = computing.create()
    assert computing.api.get(computing.me, made.uuid).uuid == made.uuid
    assert computing.api.get(computing.admin, made.uuid).uuid == made.uuid
    for uuid in (made.uuid, "00000000-0000-4000-8000-000000000000", "nonsense", ""):
        with pytest.raises(exceptions.NotFound, match=f"Instance {uuid} could not be found"):
            computing.api.get(computing.stranger, uuid)


def test_a_deleted_server_is_seen_only_where_its_actions_are(computing: Computing) -> None:
    made = computing.create()
    with computing.database.write() as connection:
        instances.mark_deleted(connection, made.uuid)
    with pytest.raises(exceptions.NotFound):
        computing.api.get(computing.me, made.uuid)
    assert computing.api.get_instance_any(computing.me, made.uuid).deleted
    with pytest.raises(exceptions.NotFound):
        computing.api.get_instance_any(computing.stranger, made.uuid)
    for verb in (computing.api.stop, computing.api.delete, computing.api.lock):
        with pytest.raises(exceptions.NotFound):
            verb(computing.me, made)


def test_lists_are_of_the_callers_project(computing: Computing) -> None:
    mine, theirs = computing.create("mine"), computing.create("theirs", context=computing.stranger)
    listed = computing.api.list

    def names(found: list[objects.Instance]) -> list[str]:
        return [each.display_name for each in found]

    assert names(listed(computing.me)) == ["mine"]
    assert names(listed(computing.me, filters={"project_id": "p2"})) == ["mine"]
    assert names(listed(computing.admin)) == []
    assert names(listed(computing.admin, all_projects=True)) == ["theirs", "mine"]
    assert names(listed(computing.admin, filters={"project_id": "p2"}, all_projects=True)) == ["theirs"]
    with pytest.raises(exceptions.Invalid, match="marker"):
        listed(computing.me, marker=theirs.uuid)
    assert mine.uuid != theirs.uuid


def test_deleted_servers_are_listed_when_changes_are_asked_for(computing: Computing) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    live, dead = computing.create("live"), computing.create("dead")
    with computing.database.write() as connection:
        instances.mark_deleted(connection, dead.uuid)

    def names(**filters: Any) -> set[str]:
        return {each.display_name for each in computing.api.list(computing.me, filters=filters)}

    assert names() == {"live"}
    assert names(deleted=True) == {"dead"}
    assert names(changes_since=before) == {"live", "dead"}
    assert names(changes_since=before, deleted=False) == {"live"}
    assert names(changes_since=computing.get(dead).updated_at) == {"dead"}
    assert live.uuid != dead.uuid


def test_update_changes_what_is_given_and_nothing_else(computing: Computing) -> None:
    made = computing.create("old", description="d", access_ip_v4="10.0.0.1")
    updated = computing.api.update(computing.me, made, name="new", description=None, access_ip_v6="::1")
    assert (updated.display_name, updated.display_description) == ("new", None)
    assert (updated.access_ip_v4, updated.access_ip_v6, updated.hostname) == ("10.0.0.1", "::1", "old")
    assert updated.updated_at is not None and made.updated_at is not None
    assert updated.updated_at > made.updated_at
    assert computing.api.update(computing.me, made, access_ip_v4="").access_ip_v4 is None
    assert computing.api.update(computing.me, made, hostname="h", disk_config="AUTO").hostname == "h"
    assert computing.get(made).disk_config == "AUTO"


def test_pinning_to_a_zone_follows_novas_rules(computing: Computing) -> None:
    made = computing.create()
    update = computing.api.update
    with pytest.raises(exceptions.Conflict, match="current availability zone 'nova', but 'moon' was requested"):
        update(computing.me, made, pinned_availability_zone="moon")
    assert update(computing.me, made, pinned_availability_zone="nova").pinned_availability_zone == "nova"
    assert update(computing.me, made, pinned_availability_zone="nova").pinned_availability_zone == "nova"
    with pytest.raises(exceptions.Conflict, match="Unpin first"):
        update(computing.me, made, pinned_availability_zone="moon")
    assert update(computing.me, made, pinned_availability_zone=None).pinned_availability_zone is None


@pytest.mark.parametrize(
    ("verb", "action", "task_state"),
    [
        (lambda api, me, it: api.stop(me, it), "stop", "powering-off"),
        (lambda api, me, it: api.pause(me, it), "pause", "pausing"),
        (lambda api, me, it: api.reboot(me, it, hard=False), "reboot", "rebooting"),
        (lambda api, me, it: api.reboot(me, it, hard=True), "reboot", "rebooting_hard"),
        (lambda api, me, it: api.delete(me, it), "delete", "deleting"),
        (lambda api, me, it: api.force_delete(me, it), "delete", "deleting"),
    ],
)
def test_task_state_and_journal_are_written_together(
    computing: Computing, verb: Any, action: str, task_state: str
) -> None:
    made = active(computing)
    verb(computing.api, computing.me, made)
    assert computing.get(made).task_state == task_state
    newest = computing.operations(made)[-1]
    assert (newest.action, newest.state, newest.request_id) == (action, "pending", computing.me.request_id)


def test_a_refused_verb_leaves_no_trace(computing: Computing) -> None:
    made = active(computing)
    with pytest.raises(exceptions.Conflict):
        computing.api.start(computing.me, made)
    assert computing.get(made) == made
    assert [op.action for op in computing.operations(made)] == ["create"]


def test_verbs_look_at_the_server_as_it_is_not_as_it_was_read(computing: Computing) -> None:
    stale = active(computing)
    computing.api.stop(computing.me, stale)
    with pytest.raises(exceptions.Conflict, match="task_state powering-off"):
        computing.api.stop(computing.me, stale)


def test_a_silent_agent_does_not_fail_the_request(computing: Computing, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        computing.create()
    assert "its work waits" in caplog.text


def test_an_owners_lock(computing: Computing) -> None:
    api, made = computing.api, active(computing)
    api.lock(computing.me, made, reason="mine")
    locked = computing.get(made)
    assert (locked.locked, locked.locked_by, locked.locked_reason) == (True, "owner", "mine")
    assert api.is_expected_locked_by(computing.me, locked)
    assert not api.is_expected_locked_by(computing.admin, locked)
    for verb in (api.stop, api.pause, api.delete):
        with pytest.raises(exceptions.Conflict, match="is locked"):
            verb(computing.me, made)
    assert computing.get(made) == locked
    api.unlock(computing.me, made)
    unlocked = computing.get(made)
    assert (unlocked.locked, unlocked.locked_by, unlocked.locked_reason) == (False, None, None)
    api.stop(computing.me, made)
    assert [op.action for op in computing.operations(made)] == ["create", "lock", "unlock", "stop"]


def test_an_administrators_lock_stays_the_administrators(computing: Computing) -> None:
    api, made = computing.api, active(computing)
    api.lock(computing.admin, made, reason="theirs")
    api.lock(computing.me, made, reason="mine")  # an owner does not change a lock
    locked = computing.get(made)
    assert (locked.locked_by, locked.locked_reason) == ("admin", "theirs")
    assert not api.is_expected_locked_by(computing.me, locked)
    api.stop(computing.admin, made)
    assert computing.get(made).task_state == "powering-off"


def test_deleting_again_adds_nothing(computing: Computing) -> None:
    made = active(computing)
    computing.api.delete(computing.me, made)
    computing.api.delete(computing.me, made)
    assert [op.action for op in computing.operations(made)] == ["create", "delete"]


# -- evacuation --------------------------------------------------------------------------------------------------


def test_evacuation_needs_a_host_that_is_down(computing: Computing) -> None:
    computing.know_host()
    made = active(computing)
    with pytest.raises(exceptions.Invalid, match=f"^Compute service of {HOST} is still in use.$"):
        computing.api.evacuate(computing.admin, made)
    assert computing.get(made) == made


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"host": "nowhere"}, exceptions.NotFound, "Compute host nowhere not found."),
        ({"host": HOST}, exceptions.Invalid, "The target host can't be the same one."),
        ({"force": True}, exceptions.Invalid, "Can't force to a non-provided destination"),
    ],
)
def test_evacuation_refuses_impossible_targets(
    computing: Computing, arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    computing.know_host()
    with pytest.raises(error, match=message):
        computing.api.evacuate(computing.admin, active(computing), **arguments)


@pytest.mark.parametrize("how", ["forced down", "silent"])
def test_evacuation_from_a_dead_host_finds_no_other(computing: Computing, how: str) -> None:
    computing.know_host()
    made = active(computing)
    if how == "forced down":
        (service,) = computing.api.list_services(computing.admin)
        computing.api.update_service(computing.admin, service, forced_down=True)
    else:
        with computing.database.write() as connection:
            long_ago = hosts.now() - timedelta(hours=1)
            connection.execute(services.update().values(last_seen_up=long_ago))
    computing.api.evacuate(computing.admin, made)
    now = computing.get(made)
    assert (now.vm_state, now.task_state, now.host) == ("active", None, HOST)
    assert now.fault is not None
    assert now.fault.message == "No valid host was found. There are not enough hosts available."
    operation = computing.api.get_operation(computing.admin, made.uuid, computing.admin.request_id)
    assert (operation.action, operation.state, operation.message) == ("evacuate", "failed", now.fault.message)
    assert [event.result for event in operation.events] == ["Error"]


# -- operations --------------------------------------------------------------------------------------------------


def test_operations_come_newest_first_in_pages(computing: Computing) -> None:
    from tests.unit.computing import caller

    made = active(computing)
    requests = [computing.me.request_id]
    for _ in range(3):
        context = caller()
        computing.api.lock(context, made)
        computing.api.unlock(context, made)
        requests.append(str(context.request_id))
    everything = computing.api.list_operations(computing.me, made.uuid)
    assert [op.request_id for op in everything][::2] == requests[:0:-1] + requests[:1]
    assert [op.id for op in everything] == sorted((op.id for op in everything), reverse=True)
    page = computing.api.list_operations(computing.me, made.uuid, limit=2)
    assert page == everything[:2]
    second = everything[2].start_time
    assert computing.api.list_operations(computing.me, made.uuid, changes_since=second) == everything[:3]
    assert computing.api.list_operations(computing.me, made.uuid, changes_before=second) == everything[2:]
    with pytest.raises(exceptions.Invalid, match="Marker req-none could not be found"):
        computing.api.list_operations(computing.me, made.uuid, marker="req-none")
    after = computing.api.list_operations(computing.me, made.uuid, marker=str(requests[1]))
    assert [op.action for op in after] == ["lock", "create"]
