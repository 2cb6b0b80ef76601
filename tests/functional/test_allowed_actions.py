"""allowed-actions says beforehand what a request would be answered: held to the requests themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from nova_lite.api.app import build_table
from nova_lite.api.versions import Version
from nova_lite.compute import states
from nova_lite.db.times import now
from nova_lite.objects import Instance
from nova_lite.policies import list_rules
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, NOBODY, READER, Cloud

#: What an action needs to get as far as the server's state; None where that is all it takes.
BODIES: dict[str, Any] = {
    "reboot": {"type": "hard"},
    "create_image": {"name": "copy"},
    "create_backup": {"name": "copy", "backup_type": "daily", "rotation": 1},
    "reset_state": {"state": "active"},
    "evacuate": {},
    "rebuild": {"image_ref": IMAGE_ID},
    "resize": {"flavor_ref": "84"},
    "rescue": {},
    "lock": {},
    "change_password": {"admin_password": "secret"},
}
STATES = [
    ("active", None),
    ("active", "powering-off"),
    ("active", "rebooting"),
    ("stopped", None),
    ("paused", None),
    ("suspended", None),
    ("error", None),
    ("rescued", None),
    ("resized", None),
    ("soft-delete", None),
    ("shelved", None),
    ("shelved_offloaded", None),
    ("building", "spawning"),
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    yield cloud
    cloud.close()


@pytest.fixture
def cloud(made: Cloud) -> Cloud:
    made.reset()
    return made


def entries(cloud: Cloud, server: str, token: str) -> list[dict[str, Any]]:
    answer = cloud("GET", f"/servers/{server}/allowed-actions", "3.0", token)
    assert answer.status_code == 200, answer.text
    return answer.json["allowed_actions"]


def ask(cloud: Cloud, entry: dict[str, Any], token: str) -> Any:
    action = entry["action"]
    body = {"json": {action: BODIES.get(action)}} if action else {}
    return cloud(entry["method"], entry["path"], "3.0", token, **body)


@pytest.mark.parametrize(("vm_state", "task_state"), STATES)
@pytest.mark.parametrize("locked", [False, True])
def test_what_is_refused_is_refused_for_that_reason_and_what_is_allowed_is_not(
    cloud: Cloud, vm_state: str, task_state: str | None, locked: bool
) -> None:
    server = cloud.add_server("one")
    as_it_was = {"vm_state": vm_state, "task_state": task_state, "power_state": 1, "host": HOST, "locked": locked}
    as_it_was |= {"launched_at": now(), "locked_by": "owner" if locked else None, "deleted": False}
    for token in (MEMBER, READER, ADMIN):
        cloud.set_server(server, **as_it_was)
        for entry in entries(cloud, server, token):
            if "{" in entry["path"] or (entry["action"] is None and entry["method"] != "DELETE"):
                continue  # about an attachment, a tag, a key: what else they need is not in this table
            answer = ask(cloud, entry, token)
            if entry["allowed"]:
                refused = answer.status_code == 403 or (
                    answer.status_code == 409 and ("is locked" in answer.text or "while it is in" in answer.text)
                )
                assert not refused, (entry, answer.text)
            else:
                assert answer.status_code == {"policy": 403, "state": 409}[entry["refused_by"]], (entry, answer.text)
                if "reboot" not in entry["operation"]:  # of two verbs the table names the first one's reason
                    assert entry["reason"] in answer.text, (entry, answer.text)
            cloud.set_server(server, **as_it_was)


def test_a_stranger_learns_nothing(cloud: Cloud) -> None:
    server = cloud.add_server("one", project_id="p2")
    assert cloud("GET", f"/servers/{server}/allowed-actions", "3.0", MEMBER).status_code == 404


def test_a_caller_without_roles_may_not_ask(cloud: Cloud) -> None:
    server = cloud.add_server("one")
    assert cloud("GET", f"/servers/{server}/allowed-actions", "3.0", NOBODY).status_code == 403


def test_it_is_not_in_2x(cloud: Cloud) -> None:
    server = cloud.add_server("one")
    assert cloud("GET", f"/servers/{server}/allowed-actions", "2.104").status_code == 404


def test_every_verb_of_the_state_machine_can_be_asked_for_and_every_action_has_one(cloud: Cloud) -> None:
    table = build_table(cloud.compute, frozenset(rule.name for rule in list_rules()))
    declared = {verb for operation in table for verb in operation.verbs}
    own = {verb for verb in vars(states).values() if isinstance(verb, states.Verb)} - {states.CREATE}
    assert {verb.action for verb in own - declared} == set()
    silent = {
        operation.name
        for operation in table
        if operation.object_class is Instance
        and operation.actions
        and not operation.verbs
        and operation.at(Version(3, 0)) is not None
    }
    assert silent == {"console_output.get_console_output", "security_groups.add", "security_groups.remove"}
