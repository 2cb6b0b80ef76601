"""What the scheduler hints of a request ask of a host, as Nova's filters of those names understand them.

=======================================  =============================================================================
``same_host``, ``different_host``        a server's uuid or several: the host of any of them, or of none
``build_near_host_ip``, ``cidr``         an address, and the length of the network that the host's is to share with it
``query``                                a condition on the host in JSON: ``["and", [">=", "$free_ram_mb", 1024], …]``
``group``                                the uuid of a server group, whose policy holds
=======================================  =============================================================================

Other hints are kept and shown, and mean nothing to a host.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from nova_lite import exceptions, objects
from nova_lite.db import server_groups as db_server_groups
from nova_lite.db.engine import Connection

_DEEPEST = 16  # lists within lists of a query
_FACTS = Mapping[str, Any]  # what a query may ask for: see Scheduler
_Test = Callable[[str, _FACTS], bool]


@dataclass
class Demand:
    """Whether a host will do, by name and facts. ``took`` tells it of each server that is placed."""

    tests: list[_Test] = field(default_factory=list)
    group: objects.ServerGroup | None = None
    members: dict[str, int] = field(default_factory=dict)  # of the group, by host

    def admits(self, host: str, facts: _FACTS, forced: bool) -> bool:
        """``forced``: an administrator named the host, which only the group's policy can overrule."""
        return self._group_admits(host) and (forced or all(test(host, facts) for test in self.tests))

    def _group_admits(self, host: str) -> bool:
        if self.group is None:
            return True
        if self.group.policy == "anti-affinity":
            return self.members.get(host, 0) < self.group.rules.get("max_server_per_host", 1)
        if self.group.policy == "affinity":
            return not self.members or host in self.members
        return True

    def preference(self, host: str) -> int:
        """More is better: what the soft policies wish for."""
        policy = self.group.policy if self.group else ""
        return {"soft-affinity": 1, "soft-anti-affinity": -1}.get(policy, 0) * self.members.get(host, 0)

    def took(self, host: str) -> None:
        self.members[host] = self.members.get(host, 0) + 1


def demand(connection: Connection, hints: Mapping[str, Any], group: objects.ServerGroup | None) -> Demand:
    """Of a request with these hints, for a server that is or will be in ``group``.

    :raises Invalid: a hint that cannot be understood; the message names it.
    """
    tests: list[_Test] = []
    if same := _listed(hints.get("same_host")):
        wanted = db_server_groups.hosts_of(connection, same)
        tests.append(lambda host, facts: host in wanted)
    if different := _listed(hints.get("different_host")):
        avoided = db_server_groups.hosts_of(connection, different)
        tests.append(lambda host, facts: host not in avoided)
    if near := hints.get("build_near_host_ip"):
        network = _network(str(near), str(hints.get("cidr", "/24")))
        tests.append(lambda host, facts: ipaddress.ip_address(facts["host_ip"]) in network)
    if query := _query(hints.get("query")):
        _holds(query, {}, 0)  # refused now, not when there is a host
        tests.append(lambda host, facts: _is_true(_holds(query, facts, 0)))
    members = db_server_groups.members_by_host(connection, group) if group is not None else {}
    return Demand(tests, group, members)


def _listed(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value] if value else []
    return [str(item) for item in items]


def _network(address: str, length: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(f"{address}{length}", strict=False)
    except ValueError as error:
        raise exceptions.Invalid(f"Invalid scheduler hint cidr: '{address}{length}' is no network.") from error


# -- query -------------------------------------------------------------------------------------------------------


def _each(compare: Callable[[Any, Any], bool]) -> Callable[[list[Any]], bool]:
    """The first argument against each of the others."""
    return lambda values: len(values) > 1 and all(compare(values[0], value) for value in values[1:])


_COMMANDS: dict[str, Callable[[list[Any]], Any]] = {
    "=": _each(operator.eq),
    "<": _each(operator.lt),
    ">": _each(operator.gt),
    "<=": _each(operator.le),
    ">=": _each(operator.ge),
    "in": lambda values: len(values) > 1 and values[0] in values[1:],
    "not": lambda values: [not value for value in values],
    "or": any,
    "and": all,
}


def _query(value: Any) -> list[Any]:
    if not value:
        return []
    try:
        query = orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError as error:
        raise exceptions.Invalid(f"Invalid scheduler hint query: it is no JSON ({error}).") from error
    if not isinstance(query, list):
        raise exceptions.Invalid("Invalid scheduler hint query: it must be a list of a command and its arguments.")
    return query


def _holds(query: list[Any], facts: _FACTS, depth: int) -> Any:
    if not query:
        return True
    command, *given = query
    if not isinstance(command, str) or command not in _COMMANDS:
        commands = " ".join(_COMMANDS)
        raise exceptions.Invalid(f"Invalid scheduler hint query: a list must begin with one of {commands}.")
    if depth > _DEEPEST:
        raise exceptions.Invalid(f"Invalid scheduler hint query: lists stand deeper than {_DEEPEST} in each other.")
    values = [_holds(each, facts, depth + 1) if isinstance(each, list) else _fact(each, facts) for each in given]
    try:
        return _COMMANDS[command]([value for value in values if value is not None])
    except TypeError:  # a number against a word: they do not compare, so it does not hold
        return False


def _fact(value: Any, facts: _FACTS) -> Any:
    """``$cpu_info.arch`` stands for what the host has of that name."""
    if not isinstance(value, str) or not value.startswith("$"):
        return value or None if isinstance(value, str) else value
    found: Any = facts
    for name in value[1:].split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _is_true(result: Any) -> bool:
    return any(result) if isinstance(result, list) else bool(result)
