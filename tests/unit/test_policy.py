"""The policy engine: same answers as oslo.policy, overrides, reload, and refusal of broken files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oslo_policy import policy as oslo

from nova_lite.api import policy
from nova_lite.api.policy_checks import compile_rules

RULES = [
    oslo.RuleDefault("context_is_admin", "role:admin"),
    oslo.RuleDefault("owner", "project_id:%(project_id)s"),
    oslo.DocumentedRuleDefault(
        "os_compute_api:servers:show",
        "(role:reader and rule:owner) or rule:context_is_admin",
        "Show a server.",
        [{"method": "GET", "path": "/servers/{server_id}"}],
        scope_types=["project"],
    ),
]
SHOW = "os_compute_api:servers:show"
OWNER = {"user_id": "u1", "project_id": "p1", "roles": ["reader"], "is_admin": False}
STRANGER = OWNER | {"project_id": "p2"}
ADMIN = STRANGER | {"roles": ["Admin"]}

_atoms = st.sampled_from(
    [
        "@", "!", "role:admin", "role:Reader", "role:%(wanted)s", "rule:owner", "rule:missing", "is_admin:True",
        "project_id:%(project_id)s", "user_id:%(absent)s", "'p1':%(project_id)s", "True:%(flag)s", "roles:reader",
        "token.user.id:%(user_id)s", "user_id:u1", "system_scope:all",
    ]
)  # fmt: skip


def _joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("not {}".format, _atoms),
    )


CHECKS = st.recursive(_atoms, _joined, max_leaves=6)
CREDS = st.fixed_dictionaries(
    {
        "user_id": st.sampled_from(["u1", "u2"]),
        "project_id": st.sampled_from(["p1", "p2", None]),
        "roles": st.lists(st.sampled_from(["admin", "Reader", "reader"]), max_size=2),
        "is_admin": st.booleans(),
    },
    optional={
        "system_scope": st.just("all"),
        "domain_id": st.just("d1"),
        "token": st.just({"user": [{"id": "u1"}, {"id": "u2"}]}),
    },
)
TARGETS = st.fixed_dictionaries(
    {"project_id": st.sampled_from(["p1", "p2"]), "user_id": st.sampled_from(["u1", "u2"])},
    optional={"wanted": st.just("reader"), "flag": st.booleans()},
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(check=CHECKS, creds=CREDS, target=TARGETS, scoped=st.booleans())
def test_compiled_rules_answer_as_oslo_policy_does(check: str, creds: dict, target: dict, scoped: bool) -> None:
    rules = [
        oslo.RuleDefault("owner", "project_id:%(project_id)s"),
        oslo.RuleDefault("asked", check, scope_types=["project"] if scoped else None),
    ]
    enforcer = oslo.Enforcer(policy.nova_lite_conf.load([], []), use_conf=False)
    enforcer.register_defaults(rules)
    enforcer.set_rules(oslo.Rules.from_dict({rule.name: rule.check_str for rule in rules}), use_conf=False)
    expected = bool(enforcer.enforce("asked", target, dict(creds)))
    assert compile_rules(enforcer)["asked"](target, creds) is expected


def test_a_rule_nobody_registered_lets_nobody_pass() -> None:
    assert not policy.PolicyEngine(None, RULES).check("os_compute_api:nothing", {}, ADMIN)


def test_defaults_apply_without_a_file(tmp_path: Path) -> None:
    engine = policy.PolicyEngine(tmp_path / "policy.yaml", RULES)
    target = {"project_id": "p1"}
    assert engine.check(SHOW, target, OWNER)
    assert not engine.check(SHOW, target, STRANGER)
    assert engine.check(SHOW, target, ADMIN)
    assert engine.is_admin(ADMIN) and not engine.is_admin(OWNER)


def test_a_changed_file_is_in_force_at_the_next_look(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    engine = policy.PolicyEngine(path, RULES)
    path.write_text(f'"{SHOW}": "role:nobody"\n')
    engine.refresh(force=True)
    assert not engine.check(SHOW, {"project_id": "p1"}, OWNER)
    path.unlink()
    engine.refresh(force=True)
    assert engine.check(SHOW, {"project_id": "p1"}, OWNER)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[not closed", "not YAML"),
        ("- a list\n", "must map rule names"),
        (f'"{SHOW}": 7\n', SHOW),
        (f'"{SHOW}": "role:admin and ("\n', "cannot understand"),
        (f'"{SHOW}": "rule:admin__owner"\n', "missing rule"),
        (f'"{SHOW}": "rule:{SHOW}"\n', "to themselves"),
        ("\x00\x01", "not YAML"),
    ],
)
def test_a_broken_file_is_refused_whole_and_the_last_good_rules_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, why: str
) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(f'"{SHOW}": "role:nobody"\n')
    engine = policy.PolicyEngine(path, RULES)
    path.write_text('"owner": "@"\n' + text if text.startswith('"') else text)
    engine.refresh(force=True)
    assert why in caplog.text
    assert not engine.check(SHOW, {"project_id": "p1"}, OWNER), "the override of the last good file is still in force"


def test_a_name_nothing_asks_for_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text('"os_compute_api:servers:shwo": "role:nobody"\n')
    policy.PolicyEngine(path, RULES)
    assert "os_compute_api:servers:shwo" in caplog.text


def test_an_unreadable_file_keeps_the_rules(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "policy.yaml"
    engine = policy.PolicyEngine(path, RULES)
    path.mkdir()
    engine.refresh(force=True)
    assert "cannot be read" in caplog.text
    assert engine.check(SHOW, {"project_id": "p1"}, OWNER)


def test_refresh_looks_at_the_file_at_most_once_an_interval(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    engine = policy.PolicyEngine(path, RULES)
    path.write_text(f'"{SHOW}": "role:nobody"\n')
    engine.refresh()
    assert engine.check(SHOW, {"project_id": "p1"}, OWNER), "within the interval the rules in force are used"
    os.utime(path)
    engine.refresh(force=True)
    assert not engine.check(SHOW, {"project_id": "p1"}, OWNER)
