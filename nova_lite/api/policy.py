"""The one place that decides whether a caller may do something: defaults from code, overrides from policy.yaml.

Operators keep Nova's rule names. ``policy.yaml`` holds differences only and is read again when it changes; a file
that cannot be understood is refused as a whole, logged, and the last good rules stay in force.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from oslo_config import cfg
from oslo_policy import _parser, policy

from nova_lite import conf as nova_lite_conf
from nova_lite import policies
from nova_lite.api.policy_checks import Compiled, compile_rules
from nova_lite.context import RequestContext

LOG = logging.getLogger(__name__)

# How often, in seconds, the file is looked at. A stat costs 1 µs; the limit keeps it out of the profile altogether.
CHECK_INTERVAL = 1.0


class PolicyFileError(Exception):
    """policy.yaml cannot be used; the message says where and why."""


def read_policy_file(path: Path) -> dict[str, str]:
    """The overrides in ``path`` by rule name; {} when there is no file.

    :raises PolicyFileError: not YAML, not a mapping of names to check strings, or a check string with a syntax error.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyFileError(f"{path} cannot be read: {error}") from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PolicyFileError(f"{path} is not YAML: {error}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise PolicyFileError(f"{path} must map rule names to check strings, not hold a {type(document).__name__}")
    for name, check in document.items():
        if not isinstance(name, str) or not isinstance(check, str):
            raise PolicyFileError(f"{path}: rule {name!r} must be a name with a check string, such as 'role:admin'")
        # oslo.policy turns what it cannot parse into "never" and only logs it: an operator would lock everybody out.
        if str(_parser.parse_rule(check)) == "!" and check.strip() != "!":
            raise PolicyFileError(f"{path}: rule {name!r}: cannot understand {check!r}")
    return document


def build_enforcer(overrides: Mapping[str, str], rules: Iterable[policy.RuleDefault]) -> policy.Enforcer:
    """An oslo.policy Enforcer that holds the defaults and ``overrides`` and reads no file of its own.

    :raises PolicyFileError: a rule refers to one that does not exist, or to itself.
    """
    enforcer = policy.Enforcer(nova_lite_conf.load([], []), use_conf=False, rules=None)
    enforcer.register_defaults(list(rules))
    merged = {name: default.check_str for name, default in enforcer.registered_rules.items()} | dict(overrides)
    enforcer.set_rules(policy.Rules.from_dict(merged), overwrite=True, use_conf=False)
    try:
        enforcer.check_rules(raise_on_violation=True)
    except policy.InvalidDefinitionError as error:
        raise PolicyFileError(f"rules that refer to a missing rule or to themselves: {error}") from error
    return enforcer


class PolicyEngine:
    """Compiled rules with reload. Thread-safe: a new rule set is published whole, in one assignment."""

    def __init__(self, path: Path | None, rules: Iterable[policy.RuleDefault] | None = None) -> None:
        """:param path: the policy.yaml to watch; None for the defaults alone.

        :raises PolicyFileError: only the defaults can fail here; a broken file at start is logged and left out.
        """
        self._path = path
        self._defaults = list(rules if rules is not None else policies.list_rules())
        self.registered = frozenset(rule.name for rule in self._defaults)
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._next_check = 0.0
        self._rules: dict[str, Compiled] = compile_rules(build_enforcer({}, self._defaults))
        self.refresh(force=True)

    def refresh(self, force: bool = False) -> None:
        """Read the file again if it changed since the last look; at most one look in CHECK_INTERVAL unless forced."""
        now = time.monotonic()
        if self._path is None or (now < self._next_check and not force):
            return
        if not self._lock.acquire(blocking=force):
            return  # another thread is at it; this request uses the rules in force
        try:
            self._next_check = now + CHECK_INTERVAL
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._stamp = stamp
            self._load()
        finally:
            self._lock.release()

    def _load(self) -> None:
        assert self._path is not None
        try:
            overrides = read_policy_file(self._path)
            compiled = compile_rules(build_enforcer(overrides, self._defaults))
        except PolicyFileError as error:
            LOG.error("Policy file refused, the last good rules stay in force: %s", error)
            return
        used_by_name = set(self.registered)
        unknown = sorted(name for name in overrides if ":" in name and name not in used_by_name)
        if unknown:
            LOG.warning("Policy file %s: rules that nothing here asks for: %s", self._path, ", ".join(unknown))
        self._rules = compiled
        LOG.info("Policy rules loaded: %d defaults, %d overrides", len(self._defaults), len(overrides))

    def check(self, rule: str, target: Mapping[str, Any], creds: Mapping[str, Any]) -> bool:
        """Whether ``rule`` lets the caller act on ``target``; a rule that does not exist never does."""
        compiled = self._rules.get(rule)
        return compiled is not None and compiled(target, creds)

    def is_admin(self, creds: Mapping[str, Any]) -> bool:
        """Whether the caller passes ``context_is_admin``."""
        return self.check("context_is_admin", {}, creds)


def credentials(context: RequestContext) -> dict[str, Any]:
    """What rules see of a caller: oslo.context's policy values."""
    return dict(context.to_policy_values())


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def get_enforcer() -> policy.Enforcer:
    """Entry point ``oslo.policy.enforcer``: what oslopolicy-checker and -list-redundant work on."""
    conf = cfg.CONF
    enforcer = policy.Enforcer(conf)
    enforcer.register_defaults(policies.list_rules())
    return enforcer
