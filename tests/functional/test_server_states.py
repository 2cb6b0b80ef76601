"""Which action goes in which state: every one walked through every state, and Nova's words for what does not go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nova_lite.api.controllers.server_status import status_of
from tests.functional.cloud import ADMIN, HOST, Cloud

STATES = (
    *("active", "building", "stopped", "paused", "suspended", "rescued", "resized", "error", "soft-delete"),
    *("shelved", "shelved_offloaded"),
)
QUIET = {"active", "paused", "suspended", "stopped"}
SHOWN = {"name": "n", "backup_type": "daily", "rotation": 1}
#: Action → (its name in messages, body, where Nova allows it; None for anywhere).
ACTIONS: dict[str, tuple[str, Any, set[str] | None]] = {
    "os-start": ("start", None, {"stopped"}),
    "os-stop": ("stop", None, {"active", "error"}),
    "reboot": ("reboot", {"type": "SOFT"}, {"active"}),
    "pause": ("pause", None, {"active"}),
    "unpause": ("unpause", None, {"paused"}),
    "suspend": ("suspend", None, {"active"}),
    "resume": ("resume", None, {"suspended"}),
    "shelve": ("shelve", None, QUIET),
    "shelveOffload": ("shelveOffload", None, {"shelved"}),
    "unshelve": ("unshelve", None, {"shelved", "shelved_offloaded"}),
    "createImage": ("createImage", {"name": "n"}, QUIET),
    "createBackup": ("createBackup", SHOWN, QUIET),
    "trigger_crash_dump": ("trigger_crash_dump", None, {"active", "paused", "rescued", "resized", "error"}),
    "restore": ("restore", None, {"soft-delete"}),
    "lock": ("lock", None, None),
    "unlock": ("unlock", None, None),
    "os-resetState": ("resetState", {"state": "error"}, None),
    "forceDelete": ("forceDelete", None, None),
}
HARD = {"active", "stopped", "paused", "suspended", "error"}
HARD_TASKS = {"rebooting", "reboot_started", "rebooting_hard", "reboot_pending_hard", "pausing", "resuming"}
BUSY = "image_uploading"
#: It protects from changes, which these do not make.
WHATEVER_THE_LOCK = ("lock", "unlock", "os-resetState", "createImage", "createBackup")


@pytest.fixture
def server(cloud: Cloud) -> str:
    return cloud.add_server("walked")


def put(cloud: Cloud, server: str, vm_state: str, task_state: str | None = None, launched: bool = True) -> None:
    offloaded = vm_state == "shelved_offloaded"
    cloud.set_server(
        server, vm_state=vm_state, task_state=task_state, power_state=1, host="" if offloaded else HOST,
        launched_at=datetime(2026, 1, 1, tzinfo=UTC) if launched else None, locked=False, deleted=False,
        system_metadata={"shelved_host": HOST} if offloaded else {},
    )  # fmt: skip


def act(cloud: Cloud, server: str, action: str, body: Any) -> Any:
    return cloud("POST", f"/servers/{server}/action", "2.20", ADMIN, json={action: body})


@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_goes_just_where_nova_lets_it(cloud: Cloud, server: str, action: str) -> None:
    name, body, allowed = ACTIONS[action]
    for vm_state in STATES:
        put(cloud, server, vm_state)
        answer = act(cloud, server, action, body)
        if allowed is None or vm_state in allowed:
            assert answer.status_code == 202, (vm_state, answer.text)
            continue
        assert answer.status_code == 409, vm_state
        message = f"Cannot '{name}' instance {server} while it is in vm_state {vm_state}"
        assert answer.json["conflictingRequest"]["message"] == message
    if allowed is None:
        return
    ready = sorted(allowed - {"shelved_offloaded"})[0]
    put(cloud, server, ready, BUSY)
    message = f"Cannot '{name}' instance {server} while it is in task_state {BUSY}"
    assert act(cloud, server, action, body).json["conflictingRequest"]["message"] == message
    put(cloud, server, ready, launched=False)
    message = f"Instance {server} is in an invalid state for '{name}'"
    assert act(cloud, server, action, body).json["conflictingRequest"]["message"] == message


def test_a_hard_reboot_goes_in_more_states_and_overtakes(cloud: Cloud, server: str) -> None:
    for vm_state in STATES:
        put(cloud, server, vm_state)
        assert act(cloud, server, "reboot", {"type": "HARD"}).status_code == (202 if vm_state in HARD else 409)
    for task_state in sorted({*HARD_TASKS, BUSY, "powering-off"}):
        put(cloud, server, "active", task_state)
        expected = 202 if task_state in HARD_TASKS else 409
        assert act(cloud, server, "reboot", {"type": "HARD"}).status_code == expected, task_state


def test_every_state_has_a_status(cloud: Cloud, server: str) -> None:
    for vm_state in STATES:
        put(cloud, server, vm_state)
        shown = cloud("GET", f"/servers/{server}", "2.1").json["server"]["status"]
        assert shown == status_of(vm_state, None) != "UNKNOWN"


@pytest.mark.parametrize("action", [action for action in ACTIONS if action not in WHATEVER_THE_LOCK])
def test_a_lock_stops_it_for_members_only(cloud: Cloud, server: str, action: str) -> None:
    _, body, allowed = ACTIONS[action]
    put(cloud, server, sorted(allowed or {"active"})[0])
    cloud.set_server(server, locked=True, locked_by="admin")
    refused = cloud("POST", f"/servers/{server}/action", "2.20", json={action: body})
    if action == "shelveOffload":  # administrators' alone
        assert refused.status_code == 403
    else:
        assert refused.status_code == 409 and f"Instance {server} is locked" in refused.text
    assert act(cloud, server, action, body).status_code == 202
