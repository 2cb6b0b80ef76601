"""Pages about the whole API: how to talk to it, every version, every policy rule."""

from __future__ import annotations

import json

from oslo_policy import policy

from nova_lite.api import errors, versions
from nova_lite.api.versions import HEADER, LEGACY_HEADER, SERVICE_TYPE, Version
from nova_lite.reference import changelog, keys, markdown, resource_page
from nova_lite.reference.examples import HOST
from nova_lite.reference.facts import PREFIXES, Fact, Reference
from nova_lite.schemas import parameter_types

EXAMPLE_REQUEST_ID = "req-5a4f0e2b-6f3a-4b43-9a57-0b5c3f8de1aa"


def index(reference: Reference) -> str:
    """README.md: what a client must know before its first request, and the list of resources."""
    return markdown.page(
        "Compute API reference",
        "Every operation of nova_lite with every version of its formats. It is generated from the operation table, the "
        "schemas, the policies and the docstrings; `make api-ref` writes it anew. An OpenAPI 3.1 document of any one "
        "version: `nova-lite api-ref openapi 2.53`.",
        "[All versions](versions.md) · [All policy rules](policies.md) · [The VMM's own API](vmm.md)",
        markdown.heading(2, "Resources"),
        markdown.table(
            ["Resource", "Operations"],
            [
                [
                    f"[{resource_page.title(name)}]({resource_page.file_name(name)})",
                    " · ".join(f"[{fact.title}]({resource_page.file_name(name)}#{fact.anchor})" for fact in facts),
                ]
                for name, facts in reference.resources.items()
            ],
        ),
        *_version_words(),
        *_authentication_words(),
        *_error_words(),
        *_reading_words(),
    )


def _version_words() -> list[str]:
    rows = [
        [markdown.code(PREFIXES[major] + "/"), str(major), f"{first} – {last}" if first != last else str(first)]
        for major, (first, last) in versions.MAJORS.items()
    ]
    newest = versions.latest(2)
    return [
        markdown.heading(2, "Versions"),
        "The path names the major version, a header the version within it. A version never changes once it is "
        "released: a client that names one gets the same formats for ever.",
        markdown.table(["Endpoint", "Major", "Versions"], rows),
        markdown.fence(f"{HEADER}: {SERVICE_TYPE} {newest}\n{LEGACY_HEADER}: {newest}", "http"),
        markdown.bullets(
            [
                f"{markdown.code(HEADER)} wins where both are sent; {markdown.code(LEGACY_HEADER)} is older.",
                "Without a header a request is served at the first version of its major, "
                f"{' or '.join(str(versions.default(major)) for major in versions.MAJORS)}.",
                f"{markdown.code(SERVICE_TYPE + ' latest')} is the newest version of the endpoint's major.",
                "Every answer, errors included, repeats the version it was made for in both headers, and has `Vary` on "
                "both.",
                "What is no version is answered with 400, a version that is not served with 406 and the range that is.",
                f"`GET {HOST}/` lists the endpoints and their versions, without a token.",
                "The project's id may stand behind the prefix, as in `/v2.1/{project_id}/servers`; links in the answer "
                "then have it too.",
            ]
        ),
    ]


def _authentication_words() -> list[str]:
    return [
        markdown.heading(2, "Authentication and policy"),
        "`X-Auth-Token` holds the token; `nova-lite token create` makes one. Each operation asks one policy rule about "
        "the caller and the thing the path names, sub-rules about some keys of requests and answers. What belongs to "
        "another project does not exist for a caller: 404, not 403. The order of checks is: token (401), version (400, "
        "406), route (404, 405), the thing itself (404), policy (403), query and body (400).",
    ]


def _error_words() -> list[str]:
    message = "Server 5a4f… could not be found."
    forms = (errors.body(404, message, major, EXAMPLE_REQUEST_ID) for major in versions.MAJORS)
    return [
        markdown.heading(2, "Errors"),
        "Major 2 answers in Nova's form, major 3 in that of the API-SIG. The message names the field at fault and, "
        "where there is one, the version that would accept it. `X-OpenStack-Request-ID` stands in every answer and in "
        "the log.",
        *(markdown.fence(json.dumps(form, indent=2, ensure_ascii=False), "json") for form in forms),
        markdown.table(
            ["Status", "Name in major 2", "Title in major 3"],
            [
                [str(code), markdown.code(errors.FAULT_NAMES.get(code, "computeFault")), title]
                for code, title in errors.TITLES.items()
            ],
        ),
    ]


def _reading_words() -> list[str]:
    inner = keys.keys(parameter_types.link)
    return [
        markdown.heading(2, "Reading the tables"),
        markdown.bullets(
            [
                "`server/networks[]/uuid` is the key `uuid` of each object in the list `networks` of the object "
                "`server`; `{key}` stands for any name.",
                "*Since* and *until* are the first and the last version in which a line holds; a key has several lines "
                "where its type or its limits changed. Both columns are left out where nothing ever changed.",
                "A request with a key that is not listed is refused. An answer has every key marked *always*; the "
                "others depend on the state of things or on the caller's rules.",
                '*integer (also as a string)* means that `1` and `"1"` are both taken.',
                "A *link* is an object with these keys:",
            ]
        ),
        markdown.table(
            ["Key", "Type", "Always", "Notes"],
            [[markdown.code(key.path), key.type, "yes" if key.required else "", "; ".join(key.notes)] for key in inner],
        ),
    ]


# ---- versions.md ----------------------------------------------------------------------------------------


def history(reference: Reference) -> str:
    """versions.md: what each version changed, newest first."""
    blocks = []
    for entry in versions.HISTORY[::-1]:
        version = entry.version
        blocks.append(markdown.heading(2, str(version), f"v{version.major}-{version.minor}"))
        release = versions.names_release(version)
        blocks.append(entry.sentence + (f" *({release})*" if release else ""))
        if version == versions.default(version.major):
            blocks += _first_of_major(reference, version)
        else:
            blocks.append(markdown.bullets(_changes(reference, version)))
    return markdown.page(
        "Versions",
        "What each version changed in the formats, statuses and operations that exist here, newest first. A version "
        "without a list changed something that nova_lite does not serve, or the meaning of a request alone. In "
        "brackets the first OpenStack release whose Compute API has the version.",
        "[All resources](README.md)",
        *blocks,
    )


def _first_of_major(reference: Reference, version: Version) -> list[str]:
    """What is there from the start, against the newest of the major before."""
    before = versions.previous(version)
    every = [fact for facts in reference.resources.values() for fact in facts]
    there = [fact for fact in every if fact.at(version)]
    if before is None:
        return [f"{len(there)} of the operations described here exist since then."]
    new = [fact for fact in there if not fact.at(before)]
    gone = [fact for fact in every if fact.at(before) and not fact.at(version)]
    return [
        f"All formats are new; each operation's page has them side by side with those of {before}.",
        f"Operations that {before} does not have: {_askers(new)}." if new else "",
        f"Operations of {before} that are gone: {_askers(gone)}." if gone else "",
    ]


def _changes(reference: Reference, version: Version) -> list[str]:
    lines = []
    for name, facts in reference.resources.items():
        for fact in facts:
            for change in changelog.of_fact(fact, version):
                lines.append(f"[{fact.name}]({resource_page.file_name(name)}#{fact.anchor}) {change}")
    return lines


# ---- policies.md ----------------------------------------------------------------------------------------


def policies(reference: Reference) -> str:
    """policies.md: every registered rule, by the resource that asks it."""
    asked: dict[str, list[Fact]] = {}
    for fact in reference.facts:
        for rule in fact.rules:
            asked.setdefault(rule.name, []).append(fact)
    blocks = []
    written: set[str] = set()
    for resource, facts in reference.resources.items():
        rules = {rule.name: rule for fact in facts for rule in fact.rules}
        new = [rules[name] for name in sorted(rules)]
        written |= rules.keys()
        blocks.append(markdown.heading(2, resource_page.title(resource), resource.replace("_", "-")))
        blocks.append(
            markdown.table(
                ["Rule", "Default", "About", "Asked by"],
                [[*_rule(rule), _askers(asked[rule.name])] for rule in new],
            )
        )
    others = [reference.rules[name] for name in reference.rules if name not in written]
    return markdown.page(
        "Policy rules",
        "Rules and their defaults. An operator overrides them in `policy.yaml`, which holds differences only and is "
        "read again when it changes.",
        "[All resources](README.md)",
        *blocks,
        markdown.heading(2, "Shared by others"),
        markdown.table(["Rule", "Default", "About"], [_rule(rule) for rule in others]),
    )


def _rule(rule: policy.RuleDefault) -> list[str]:
    return [markdown.code(rule.name), markdown.code(rule.check_str or "@"), rule.description or ""]


def _askers(facts: list[Fact]) -> str:
    return ", ".join(
        f"[{fact.name}]({resource_page.file_name(fact.operation.resource)}#{fact.anchor})" for fact in facts
    )
