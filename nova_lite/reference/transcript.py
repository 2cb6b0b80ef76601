"""One request and its answer as they go over the wire, for each version in which they look different."""

from __future__ import annotations

import http
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from nova_lite.api.versions import HEADER, SERVICE_TYPE, Version
from nova_lite.reference.changelog import part_change
from nova_lite.reference.examples import ExampleError, Maker, Part, field_value, singular
from nova_lite.reference.facts import PREFIXES, Fact, Reference, Served

ABSENT: Any = object()


@dataclass(frozen=True)
class Transcript:
    """``body`` and ``answer`` are ABSENT where there is none."""

    version: Version
    method: str
    target: str
    body: Any
    status: int
    answer: Any
    query: dict[str, list[Any]]

    def looks_like(self, other: Transcript) -> bool:
        """Whether a reader would learn nothing new from this one."""
        mine, theirs = vars(self) | {"version": None}, vars(other) | {"version": None}
        return mine == theirs

    def request_text(self) -> str:
        headers = {HEADER: f"{SERVICE_TYPE} {self.version}", "X-Auth-Token": "$TOKEN"}
        return _message(f"{self.method} {self.target} HTTP/1.1", headers, self.body)

    def answer_text(self) -> str:
        return _message(f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}", {}, self.answer)


def transcript(reference: Reference, fact: Fact, version: Version) -> Transcript:
    """The example of ``fact`` at ``version``.

    :raises ExampleError: naming the operation, version and key.
    """
    served = fact.at(version)
    assert served is not None, f"{fact.name} does not exist at {version}"
    made: dict[str, Any] = {}
    for part in ("query", "input", "output"):
        schema = served.schema(part, version)
        if schema is None:
            made[part] = ABSENT
            continue
        maker = _maker(reference, served, part, version, made)
        try:
            made[part] = maker.query(schema) if part == "query" else maker.document(schema)
        except ExampleError as error:
            raise ExampleError(f"{fact.name} {part} at {version}: {error}") from error
    query = {} if made["query"] is ABSENT else made["query"]
    body = made["input"]
    if body is ABSENT and served.action:
        body = {served.action: None}
    target = _target(served, made["output"], query)
    status = next(step.value for step in served.statuses if step.since <= version <= step.until)
    return Transcript(version, fact.operation.method, target, body, status, made["output"], query)


def transcripts(reference: Reference, fact: Fact) -> list[Transcript]:
    """Newest first, without those that look like their predecessor."""
    found: list[Transcript] = []
    for served in fact.served:
        for number, version in enumerate(served.changed):
            one = transcript(reference, fact, version)
            if number == 0 or not one.looks_like(found[-1]):
                found.append(one)
    return found[::-1]


def _target(served: Served, answer: Any, query: dict[str, list[Any]]) -> str:
    """The path with an example in each field: what the answer shows, a blank if it shows that the field is no id."""

    def value(match: re.Match[str]) -> str:
        thing, _, key = match[1].rpartition("_")
        shown = answer.get(thing) if isinstance(answer, dict) else None
        return str(shown.get(key, match[0])) if isinstance(shown, dict) else field_value(match[1])

    path = re.sub(r"\{([a-z_]+)\}", value, served.path)
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


def _maker(reference: Reference, served: Served, part: Part, version: Version, made: dict[str, Any]) -> Maker:
    change = part_change(served, part, version)
    query = {} if made.get("query", ABSENT) is ABSENT else made["query"]
    return Maker(
        part=part,
        focus=frozenset([*change.gained, *change.altered]),
        prefix=PREFIXES[version.major],
        addresses=reference.addresses(version.major),
        thing=singular(served.operation.resource),
        marker=field_value(marker) if (marker := reference.marker_field(served)) else "",
        request=_target(served, None, {name: values for name, values in query.items() if name != "marker"}),
        said=dict(_scalars(made["input"], "")) if part == "output" and isinstance(made["input"], dict) else {},
    )


def _scalars(document: dict[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """What a body says outside of lists, by path."""
    for name, value in document.items():
        below = f"{path}/{name}" if path else name
        if isinstance(value, dict):
            yield from _scalars(value, below)
        elif not isinstance(value, list):
            yield below, value


def _message(first: str, headers: dict[str, str], body: Any) -> str:
    lines = [first, *(f"{name}: {value}" for name, value in headers.items())]
    if body is ABSENT:
        return "\n".join(lines)
    document = json.dumps(body, indent=2, ensure_ascii=False)
    return "\n".join([*lines, "Content-Type: application/json", "", document])
