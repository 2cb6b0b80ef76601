"""The page of one resource: every operation with its formats, version by version, and how it looks on the wire."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

from nova_lite.api.versions import Version
from nova_lite.reference import changelog, keys, markdown
from nova_lite.reference.facts import Description, Fact, Reference, Served, Step, describe
from nova_lite.reference.transcript import transcripts
from nova_lite.schemas import Part, Schema

_MOST_KEYS = 3  # named beside a rule; the tables of keys name them all
SECTIONS: tuple[tuple[Part, str], ...] = (("query", "Query"), ("input", "Request body"), ("output", "Answer"))


def file_name(resource: str) -> str:
    return f"{resource}.md"


def title(resource: str) -> str:
    return resource.replace("_", " ").capitalize()


def versions_file_anchor(version: Version) -> str:
    return f"versions.md#v{version.major}-{version.minor}"


def write(reference: Reference, resource: str) -> str:
    """The Markdown of one resource's page."""
    facts = reference.resources[resource]
    rows = [
        [f"[{fact.title}](#{fact.anchor})", markdown.code(fact.operation.method), _where(served), span(served)]
        for fact in facts
        for served in fact.served
    ]
    return markdown.page(
        title(resource),
        f"[All resources](README.md) · [All versions](versions.md) · [Rules](policies.md#{resource.replace('_', '-')})",
        markdown.table(["Operation", "Method", "Path", "Versions"], rows),
        *(block for fact in facts for block in _operation(reference, fact)),
    )


def span(served: Served) -> str:
    """'2.1 – 2.35', with holes if there are any."""
    runs: list[list[Version]] = []
    for version in served.versions:
        if runs and version.minor == runs[-1][-1].minor + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]} – {run[-1]}" for run in runs)


def _where(served: Served) -> str:
    path = markdown.code(served.path)
    return f"{path} with {markdown.code(served.action)}" if served.action else path


def _operation(reference: Reference, fact: Fact) -> Iterable[str]:
    yield markdown.heading(2, fact.title, fact.anchor)
    rows = [
        [markdown.code(fact.operation.method), _where(served), span(served), _statuses(served), _errors(fact, served)]
        for served in fact.served
    ]
    yield markdown.table(["Method", "Path", "Versions", "Success", "Errors"], rows)
    yield fact.description.body
    yield from _other_meanings(fact)
    yield _fields(fact)
    yield _rules(fact)
    for part, name in SECTIONS:
        for served in fact.served:
            yield from _format(fact, served, part, name)
    yield from _changes(fact)
    yield from _examples(reference, fact)


def _statuses(served: Served) -> str:
    steps = served.statuses
    if len(steps) == 1:
        return str(steps[0].value)
    return ", ".join(f"{step.value} {_between(step, served)}" for step in steps)


def _between(step: Step, served: Served) -> str:
    if step.since == step.until:
        return f"at {step.since}"
    if step.until == served.versions[-1]:
        return f"since {step.since}"
    return f"until {step.until}" if step.since == served.versions[0] else f"{step.since} – {step.until}"


def _errors(fact: Fact, served: Served) -> str:
    steps = served.steps(fact.errors)
    if len(steps) == 1:
        return ", ".join(map(str, steps[0].value))
    return "; ".join(f"{', '.join(map(str, step.value))} {_between(step, served)}" for step in steps)


def _other_meanings(fact: Fact) -> Iterable[str]:
    """What earlier functions of the operation did, where their docstrings say so."""
    for served in fact.served:
        for step in served.functions[::-1]:
            said = describe(inspect.getdoc(step.value) or "")
            if said != fact.description and said != Description("", ""):
                heading = f"**{_between(step, served).capitalize()}: {said.summary}.**"
                yield f"{heading} {said.body}" if said.body else heading


def _fields(fact: Fact) -> str:
    operation = fact.operation
    names = list(dict.fromkeys(name for served in fact.served for name in served.fields))
    rows = []
    for name in names:
        thing = name.rpartition("_")[0] or name
        loaded = name == operation.object_field
        meaning = f"names the {thing.replace('_', ' ')}" + ("; 404 where the caller may not see it" if loaded else "")
        rows.append([markdown.code(f"{{{name}}}"), meaning])
    return markdown.table(["In the path", ""], rows)


def _rules(fact: Fact) -> str:
    guarded = _guarded(fact)
    rows = []
    for rule in fact.rules:
        paths = guarded.get(rule.name, [])
        asked = markdown.codes(paths[:_MOST_KEYS])
        if len(paths) > _MOST_KEYS:
            asked += f" and {len(paths) - _MOST_KEYS} more"
        if rule.name == fact.operation.policy:
            asked = "always"
        rows.append([markdown.code(rule.name), markdown.code(rule.check_str or "@"), asked, rule.description or ""])
    return markdown.table(["Policy rule", "Default", "Asked for", "About"], rows)


def _guarded(fact: Fact) -> dict[str, list[str]]:
    """Rule → the keys and parameters that ask it, in any version."""
    found: dict[str, dict[str, None]] = {}
    for served in fact.served:
        for part, steps in served.formats.items():
            for step in steps:
                for key in keys.query_keys(step.value) if part == "query" else keys.keys(step.value):
                    if key.policy:
                        found.setdefault(key.policy, {})[key.path] = None
    return {rule: list(paths) for rule, paths in found.items()}


# ---- formats --------------------------------------------------------------------------------------------


def _format(fact: Fact, served: Served, part: Part, name: str) -> Iterable[str]:
    steps = served.formats.get(part)
    if steps is None:
        return
    read = keys.query_keys if part == "query" else keys.keys
    rows = keys.merge(steps, read)
    start = served.versions[0]
    varied = any(row.since != start or row.until for row in rows)
    table = markdown.table(
        [
            "Parameter" if part == "query" else "Key",
            "Type",
            "Always" if part == "output" else "Required",
            "Since",
            "Until",
            "Notes",
        ],
        [
            [
                markdown.code(row.key.path),
                row.key.type,
                "yes" if row.key.required else "",
                str(row.since) if varied else "",
                str(row.until or "") if varied else "",
                "; ".join([*row.key.notes, *_guard(part, row.key)]),
            ]
            for row in rows
        ],
    )
    strictness = _strictness(served, steps) if part == "query" else _absent(served, steps)
    if not table and part == "query":
        return
    yield markdown.heading(3, f"{name}, {served.major}.x" if len(fact.served) > 1 else name)
    yield table or "An empty object."
    if part == "query" and any(step.value and _takes_last(step.value) for step in steps):
        yield "Of a parameter that is given several times the last value counts, unless the notes say otherwise."
    yield strictness


def _takes_last(query: Schema) -> bool:
    return any(given.get("ext:take") == "last" for given in query.get("properties", {}).values())


def _guard(part: Part, key: keys.Key) -> Iterable[str]:
    if key.policy and part == "output":
        yield f"shown to who passes {markdown.code(key.policy)}"
    elif key.policy:
        yield f"{'ignored without' if key.lenient else 'needs'} {markdown.code(key.policy)}"


def _strictness(served: Served, steps: list[Step]) -> str:
    lax = served.steps(lambda version: (served.schema("query", version) or {}).get("additionalProperties") is not False)
    if len(lax) == 1:
        return f"Other parameters are {'accepted and not read' if lax[0].value else 'refused'}."
    said = (f"{'accepted and not read' if step.value else 'refused'} {_between(step, served)}" for step in lax)
    return f"Other parameters are {', '.join(said)}."


def _absent(served: Served, steps: list[Step]) -> str:
    absent = [_between(step, served) for step in steps if step.value is None]
    return f"No body {', '.join(absent)}." if absent else ""


# ---- versions and examples ------------------------------------------------------------------------------


def _changes(fact: Fact) -> Iterable[str]:
    lines = []
    for served in fact.served:
        for version in served.changed[1:]:
            said = changelog.lines(served, version)
            if said:
                lines.append(f"[{version}]({versions_file_anchor(version)}): {'. '.join(map(_sentence, said))}.")
    if lines:
        yield markdown.heading(3, "Changes")
        yield markdown.bullets(lines[::-1])


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _examples(reference: Reference, fact: Fact) -> Iterable[str]:
    found = transcripts(reference, fact)
    if found:
        yield markdown.heading(3, "Examples")
    for one in found:
        yield markdown.details(
            f"At {one.version}",
            markdown.fence(one.request_text(), "http"),
            markdown.fence(one.answer_text(), "http"),
        )
