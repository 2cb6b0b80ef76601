"""What each version changed, in words: gained and lost keys, statuses, operations that came and went."""

from __future__ import annotations

from nova_lite.api.versions import MAJORS, Version, following, previous
from nova_lite.reference import keys, markdown
from nova_lite.reference.facts import Fact, Served, Step
from nova_lite.schemas import Part

PART_NAMES: dict[Part, str] = {"query": "query", "input": "request", "output": "answer"}


def step_at(steps: list[Step], version: Version) -> tuple[Step | None, Step]:
    """The step before the one that holds ``version``, and that one."""
    for position, step in enumerate(steps):
        if step.since <= version <= step.until:
            return (steps[position - 1] if position else None), step
    raise ValueError(f"{version} is in no step")


def part_change(served: Served, part: Part, version: Version) -> keys.Change:
    """What ``version`` changed in one document of an operation; nothing for the first version of the operation."""
    steps = served.formats.get(part)
    if not steps:
        return keys.Change([], [], {})
    before, now = step_at(steps, version)
    if before is None or now.since != version:
        return keys.Change([], [], {})
    return keys.changes(before.value, now.value, keys.query_keys if part == "query" else keys.keys)


def lines(served: Served, version: Version) -> list[str]:
    """One line for each way in which ``version`` changed an operation that was there before."""
    found = []
    for part, name in PART_NAMES.items():
        change = part_change(served, part, version)
        words = []
        if change.gained:
            words.append(f"gained {markdown.codes(change.gained)}")
        if change.lost:
            words.append(f"lost {markdown.codes(change.lost)}")
        words += [f"{paths} {became}" for became, paths in _grouped(change.altered).items()]
        strictness = _strictness(served, version) if part == "query" else ""
        if strictness:
            words.append(strictness)
        if words:
            found.append(f"{name}: {'; '.join(words)}")
    before, now = step_at(served.statuses, version)
    if before is not None and now.since == version:
        found.append(f"status: {before.value} → {now.value}")
    before, now = step_at(served.functions, version)
    if before is not None and now.since == version:
        found.append("meaning: see the description")
    return found


def _grouped(altered: dict[str, str]) -> dict[str, str]:
    """What became of keys → the keys of which it became."""
    groups: dict[str, list[str]] = {}
    for path, became in altered.items():
        groups.setdefault(became, []).append(path)
    return {became: markdown.codes(paths) for became, paths in groups.items()}


def of_fact(fact: Fact, version: Version) -> list[str]:
    """The same, with the operation's own beginning and end. Nothing for what began with its major."""
    served = fact.at(version)
    earlier = previous(version)
    same_major = earlier is not None and earlier.major == version.major
    if served is None:
        if same_major and earlier is not None and fact.at(earlier) is not None:
            return [f"gone, answers 404 from here on{_comes_back(fact, version)}"]
        return []
    if version == served.versions[0]:
        return ["new"] if version != MAJORS[version.major][0] else []
    return lines(served, version)


def _comes_back(fact: Fact, version: Version) -> str:
    after = following(version)
    while after is not None and after.major == version.major:
        if fact.at(after) is not None:
            return f" until {after}"
        after = following(after)
    return ""


def _strictness(served: Served, version: Version) -> str:
    before, now = step_at(served.formats["query"], version) if "query" in served.formats else (None, None)
    if before is None or now is None or now.since != version or before.value is None or now.value is None:
        return ""
    was, is_now = (step.value.get("additionalProperties", True) is not False for step in (before, now))
    if was == is_now:
        return ""
    return "unknown parameters are accepted" if is_now else "unknown parameters are refused"
