"""Where each document of a server's metadata is found: below which path of the service, in which file of the drive."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

import orjson

from nova_lite.metadata import ec2, openstack
from nova_lite.metadata.facts import Facts

_TEXT, _JSON = "text/plain; charset=utf-8", "application/json"
#: The versions of EC2 whose files are on config drives; Nova skips the others by default (config_drive_skip_versions).
_EC2_ON_DRIVES = (ec2.VERSIONS[-1], ec2.LATEST)


@dataclass(frozen=True)
class Document:
    body: bytes
    media_type: str = _TEXT


def lookup(facts: Facts, path: str) -> Document | None:
    """What the service answers at ``path``, "/openstack/latest/meta_data.json"; None for nothing.

    What is below neither ``/openstack`` nor ``/ec2`` is EC2's; a slash at the end does not matter.
    """
    parts = [part for part in posixpath.normpath("/" + path.lstrip("/")).split("/") if part]
    if parts and parts[0] == "openstack":
        form, parts = _openstack, parts[1:]
    else:
        form, parts = _ec2, parts[1:] if parts and parts[0] == "ec2" else parts
    try:
        return form(facts, parts)
    except KeyError:
        return None


def is_password(path: str) -> bool:
    """Whether ``path`` is where a guest leaves a password for its owner."""
    parts = [part for part in posixpath.normpath("/" + path.lstrip("/")).split("/") if part]
    return len(parts) == 3 and parts[0] == "openstack" and openstack.has_password(parts[1]) and parts[2] == "password"


def _openstack(facts: Facts, parts: list[str]) -> Document:
    if not parts:
        return _lines([*openstack.VERSIONS, openstack.LATEST])
    if parts[0] == "content":
        contents = {number: content for number, _, content in facts.contents()}
        return Document(contents["/".join(parts[1:])])
    if len(parts) == 1:
        return _lines(openstack.listing(facts, parts[0]))
    name = "/".join(parts[1:])
    return Document(openstack.document(facts, parts[0], name), _JSON if name.endswith(".json") else _TEXT)


def _ec2(facts: Facts, parts: list[str]) -> Document:
    if not parts:
        return _lines([*ec2.VERSIONS, ec2.LATEST])
    return Document(ec2.item(facts, parts[0], parts[1:]))


def _lines(names: list[str]) -> Document:
    return Document("\n".join(names).encode())


def drive_files(facts: Facts) -> Iterator[tuple[str, bytes]]:
    """The files of a config drive: (path, content), each path with at least one folder."""
    for version in _EC2_ON_DRIVES:
        tree = ec2.tree(facts, version)
        if "user-data" in tree:
            yield f"ec2/{version}/user-data", tree["user-data"]
        yield f"ec2/{version}/meta-data.json", orjson.dumps(tree["meta-data"])
    for version in (*openstack.VERSIONS, openstack.LATEST):
        for name in openstack.listing(facts, version):
            if name != openstack.PASSWORD:
                yield f"openstack/{version}/{name}", openstack.document(facts, version, name)
    for number, _, content in facts.contents():
        yield f"openstack/content/{number}", content
