"""What the reference says of each operation, read out of the operation table: versions, formats, statuses, rules."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

from oslo_policy import policy

from nova_lite.api.operations import Operation, Table
from nova_lite.api.versions import MAJORS, Version
from nova_lite.schemas import PARTS, Part, Schema

PREFIXES = {2: "/v2.1", 3: "/v3"}
_FIELD = re.compile(r"\{([a-z_]+)\}")
_ACTION_OF_RULE = re.compile(r"(.+?)\s*\(([^)]*)\)")
_FIELD_LIST = re.compile(r"^:[a-z]+\b[^:]*:", re.MULTILINE)
T = TypeVar("T")


class Step(NamedTuple):
    """Versions in a row, both ends included, in which something is the same."""

    since: Version
    until: Version
    value: Any


@dataclass(frozen=True)
class Description:
    """A docstring: the first line, and the paragraphs after it."""

    summary: str
    body: str


def describe(docstring: str) -> Description:
    """Split a docstring; field lists (``:raises …``) are for readers of the code and stay out."""
    summary, _, rest = docstring.strip().partition("\n")
    fields = _FIELD_LIST.search(rest)
    return Description(summary.strip().rstrip("."), (rest[: fields.start()] if fields else rest).strip())


@dataclass(frozen=True)
class Served:
    """One operation in one major version: where it is found and how it changes from version to version."""

    operation: Operation
    major: int
    versions: tuple[Version, ...]

    @property
    def path(self) -> str:
        """With the major's prefix: '/v2.1/servers/{server_id}'."""
        return PREFIXES[self.major] + self.operation.paths[self.major]

    @property
    def action(self) -> str | None:
        """The body's single key, for actions."""
        return self.operation.actions.get(self.major)

    @property
    def fields(self) -> list[str]:
        return _FIELD.findall(self.operation.paths[self.major])

    def steps(self, of: Callable[[Version], T]) -> list[Step]:
        """``of(version)`` for every version, equal neighbours joined."""
        found: list[Step] = []
        for version in self.versions:
            value = of(version)
            if found and (found[-1].value is value or found[-1].value == value):
                found[-1] = found[-1]._replace(until=version)
            else:
                found.append(Step(version, version, value))
        return found

    @cached_property
    def statuses(self) -> list[Step]:
        """The status of success."""
        return self.steps(lambda version: _variant(self.operation, version).status)

    @cached_property
    def functions(self) -> list[Step]:
        """The declared functions: more than one where semantics changed."""
        return self.steps(lambda version: _variant(self.operation, version).function)

    @cached_property
    def formats(self) -> dict[Part, list[Step]]:
        """For each part that some version has: its schemas (None while there is no such document)."""
        schemas = self.operation.prepared.schemas
        found: dict[Part, list[Step]] = {}
        for part in PARTS:
            history = getattr(schemas, part, None)
            steps = self.steps(functools.partial(_schema_at, history))
            if any(step.value is not None for step in steps):
                found[part] = steps
        return found

    def schema(self, part: Part, version: Version) -> Schema | None:
        for step in self.formats.get(part, ()):
            if step.since <= version <= step.until:
                return step.value
        return None

    @cached_property
    def changed(self) -> list[Version]:
        """Every version with a format, a status or semantics of its own; the first one included."""
        steps = [self.statuses, self.functions, *self.formats.values()]
        return sorted({step.since for part in steps for step in part})


class Fact:
    """One operation, for the reference."""

    def __init__(self, operation: Operation, rules: dict[str, policy.RuleDefault], main_rules: frozenset[str]) -> None:
        self.operation = operation
        self.name = operation.name
        self.anchor = operation.name.replace(".", "-").replace("_", "-")
        self.served = [
            Served(operation, major, tuple(v for v in operation.versions if v.major == major))
            for major in sorted(MAJORS)
            if any(v.major == major for v in operation.versions)
        ]
        self.description = describe(operation.docstring)
        self.rules = _rules_of(self, rules, main_rules)

    @property
    def title(self) -> str:
        return self.description.summary or self.name

    def at(self, version: Version) -> Served | None:
        """How it is served at ``version``, or None where it does not exist."""
        for served in self.served:
            if version in served.versions:
                return served
        return None

    def errors(self, version: Version) -> list[int]:
        """Statuses that the operation declares, and those that the pipeline answers in its place."""
        served, variant = self.at(version), _variant(self.operation, version)
        found = set(variant.errors) | {401, 403}
        if self.operation.object_field:
            found.add(404)
        if self.operation.actions or (served and any(served.schema(part, version) for part in ("input", "query"))):
            found.add(400)
        return sorted(found)


@dataclass(frozen=True)
class Reference:
    """Everything the pages and OpenAPI are written from."""

    facts: tuple[Fact, ...]
    rules: dict[str, policy.RuleDefault]

    @classmethod
    def of(cls, table: Table, rules: Iterable[policy.RuleDefault]) -> Reference:
        """:param rules: every registered policy rule, with defaults and descriptions."""
        by_name = {rule.name: rule for rule in rules}
        main_rules = frozenset(operation.policy for operation in table)
        return cls(tuple(Fact(operation, by_name, main_rules) for operation in table), by_name)

    @cached_property
    def resources(self) -> dict[str, list[Fact]]:
        """The operations of each resource, resources by name."""
        found: dict[str, list[Fact]] = {}
        for fact in self.facts:
            found.setdefault(fact.operation.resource, []).append(fact)
        return {name: sorted(found[name], key=_reading_order) for name in sorted(found)}

    def addresses(self, major: int) -> dict[str, str]:
        """What one thing is called → the path that shows it: 'server' → '/servers/{server_id}'."""
        found = {}
        for fact in self.facts:
            path = fact.operation.paths[major] if any(served.major == major for served in fact.served) else ""
            if fact.operation.method == "GET" and (field := re.fullmatch(r"/[a-z0-9-]+/\{([a-z_]+)\}", path)):
                found[re.sub(r"_(id|uuid|name)$", "", field[1])] = path
        return found

    def marker_field(self, served: Served) -> str:
        """The field that names one thing of the listing ``served``: with it behind, the path shows one. '' if none."""
        listing = served.operation.paths[served.major].removesuffix("/detail")
        for fact in self.resources[served.operation.resource]:
            shown = re.fullmatch(re.escape(listing) + r"/\{([a-z_]+)\}", fact.operation.paths[served.major])
            if shown:
                return shown[1]
        return ""


def rules_in(schema: Any) -> Iterator[str]:
    """The rules that ``ext:policy`` names anywhere in a schema."""
    if isinstance(schema, dict):
        if "ext:policy" in schema:
            yield schema["ext:policy"]
        for value in schema.values():
            yield from rules_in(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from rules_in(value)


def _variant(operation: Operation, version: Version) -> Any:
    variant = operation.at(version)
    assert variant is not None, f"{operation.name} has no variant at {version}"
    return variant


def _schema_at(history: Any, version: Version) -> Schema | None:
    entry = history.at(version) if history is not None else None
    return entry.schema if entry is not None else None


def _rules_of(fact: Fact, rules: dict[str, policy.RuleDefault], main_rules: frozenset[str]) -> list[policy.RuleDefault]:
    """The operation's own rule, then sub-rules: named by its schemas, or documented as being about its route."""
    own = fact.operation.policy
    schemas = [step.value for served in fact.served for steps in served.formats.values() for step in steps]
    found = {rule for schema in schemas for rule in rules_in(schema)}
    for name in rules.keys() - main_rules:
        about = getattr(rules[name], "operations", None) or ()
        if any(_is_about(route, fact.operation) for route in about):
            found.add(name)
    return [rules[name] for name in [own, *sorted(found - {own})] if name in rules]


def _is_about(about: dict[str, Any], operation: Operation) -> bool:
    methods = about["method"] if isinstance(about["method"], list) else [about["method"]]
    if operation.method not in methods:
        return False
    path, action = about["path"], None
    if match := _ACTION_OF_RULE.fullmatch(path):
        path, action = match[1], match[2]
    shapes = {_FIELD.sub("{}", path) for path in operation.paths.values()}
    if _FIELD.sub("{}", path) not in shapes:
        return False
    return not operation.actions or action in operation.actions.values()


def _reading_order(fact: Fact) -> tuple[bool, int, int, str, str]:
    """Collections before single things, reading before writing, actions last."""
    operation = fact.operation
    path = operation.paths[fact.served[-1].major]
    method = {"GET": 0, "POST": 1, "PUT": 2, "PATCH": 3, "DELETE": 4}.get(operation.method, 9)
    return (bool(operation.actions), len(_FIELD.findall(path)), method, path, fact.name)
