"""oslo.policy check trees compiled to closures: the same answers, without the cost of walking the tree by inspection.

oslo.policy 6.0 inspects the signature of every node and stats every file on each call (about 150 µs with Nova's
rules, see docs/policy.md). The rules change only when the file does, so each loaded rule set is compiled once.
Semantics follow ``oslo_policy._checks`` node by node; an unknown kind of check (http, a plug-in) is called as it is,
through the enforcer. tests/unit/test_policy.py compares both on generated rules, targets and callers.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from oslo_policy import _checks, policy

Target = Mapping[str, Any]
Creds = Mapping[str, Any]
Compiled = Callable[[Target, Creds], bool]


def compile_rules(enforcer: policy.Enforcer) -> dict[str, Compiled]:
    """Every rule that ``enforcer`` has loaded, by name. Rules refer to each other late, so order does not matter."""
    compiled: dict[str, Compiled] = {}
    for name, check in enforcer.rules.items():
        compiled[name] = _scoped(enforcer, name, _compile(check, compiled, enforcer, name))
    return compiled


def _scoped(enforcer: policy.Enforcer, name: str, check: Compiled) -> Compiled:
    """Refuse callers whose token has another scope than the rule's (``Enforcer._enforce_scope``)."""
    registered = enforcer.registered_rules.get(name)
    scopes = frozenset(registered.scope_types or ()) if registered else frozenset()
    if not scopes:
        return check

    def in_scope(target: Target, creds: Creds) -> bool:
        if creds.get("system_scope"):
            scope = "system"
        elif creds.get("domain_id"):
            scope = "domain"
        else:
            scope = "project"
        return scope in scopes and check(target, creds)

    return in_scope


def _compile(check: Any, rules: dict[str, Compiled], enforcer: policy.Enforcer, name: str) -> Compiled:
    kind = type(check)
    if kind is _checks.TrueCheck:
        return lambda target, creds: True
    if kind is _checks.FalseCheck:
        return lambda target, creds: False
    if kind is _checks.NotCheck:
        inner = _compile(check.rule, rules, enforcer, name)
        return lambda target, creds: not inner(target, creds)
    if kind is _checks.AndCheck:
        return _all([_compile(part, rules, enforcer, name) for part in check.rules])
    if kind is _checks.OrCheck:
        return _any([_compile(part, rules, enforcer, name) for part in check.rules])
    if kind is _checks.RuleCheck:
        return _rule(check.match, enforcer)
    if kind is _checks.RoleCheck:
        return _role(check.match)
    if kind is _checks.GenericCheck:
        return _generic(check.kind, check.match)
    return lambda target, creds: bool(_checks._check(check, target, dict(creds), enforcer, name))


def _all(parts: list[Compiled]) -> Compiled:
    def every(target: Target, creds: Creds) -> bool:
        for part in parts:  # a plain loop: all() with a generator costs twice as much here  # noqa: SIM110
            if not part(target, creds):
                return False
        return True

    return every


def _any(parts: list[Compiled]) -> Compiled:
    def some(target: Target, creds: Creds) -> bool:
        for part in parts:  # noqa: SIM110
            if part(target, creds):
                return True
        return False

    return some


def _rule(match: str, enforcer: policy.Enforcer) -> Compiled:
    """A reference to another rule. The scope of the referred rule does not count, as in oslo.policy."""
    resolved: list[Compiled] = []

    def refer(target: Target, creds: Creds) -> bool:
        if not resolved:
            try:
                check = enforcer.rules[match]
            except KeyError:
                return False  # fail closed
            resolved.append(_compile(check, {}, enforcer, match))
        return resolved[0](target, creds)

    return refer


def _role(match: str) -> Compiled:
    if "%" not in match:
        wanted = match.lower()
        return lambda target, creds: wanted in _roles(creds)

    def role_from_target(target: Target, creds: Creds) -> bool:
        try:
            return (match % target).lower() in _roles(creds)
        except KeyError:
            return False

    return role_from_target


def _roles(creds: Creds) -> list[str]:
    return [role.lower() for role in creds.get("roles") or ()]


def _generic(kind: str, match: str) -> Compiled:
    """``kind:match``: a literal or an attribute of the caller, against text that may take values from the target."""
    literal: str | None
    try:
        literal = str(ast.literal_eval(kind))
    except ValueError:
        literal = None
    path = kind.split(".")
    constant = match if "%" not in match else None

    if literal is None and len(path) == 1:

        def attribute(target: Target, creds: Creds) -> bool:
            try:
                value = creds[kind]
                wanted = constant if constant is not None else match % target
            except KeyError:
                return False
            if isinstance(value, list):
                return any(wanted == str(item) for item in value)
            return wanted == str(value)

        return attribute

    def general(target: Target, creds: Creds) -> bool:
        try:
            wanted = match % target
        except KeyError:
            return False
        if literal is not None:
            return wanted == literal
        return _checks.GenericCheck._find_in_dict(creds, path, wanted)  # type: ignore[arg-type]

    return general
