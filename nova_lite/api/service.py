"""What the pipeline has to know of the API that it serves: Compute, or a companion beside it (nova_lite.embedded)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nova_lite.api import errors, removed
from nova_lite.api.versions import Version

# (status, message, major version, request id) → the document
ErrorBody = Callable[[int, str, int, str], Mapping[str, object]]
# (status, message, name of the business error or "") → the document
NamedErrorBody = Callable[[int, str, str], Mapping[str, object]]


@dataclass(frozen=True)
class Service:
    """:param public: paths (without mount point) that need no token and have no version: discovery, health.
    :param prefixes: where each major version is found below the mount point.
    :param version: the one version of an API without microversions; None where requests name theirs.
    :param projects_in_paths: the caller's project may stand before any path, as in catalogs of old.
    :param removed: paths of major 2 that an earlier release had, each with its methods: they answer 410.
    :param removed_actions: actions of servers that an earlier release had, likewise.
    :param legacy: a prefix that answers as the one beside it does at its oldest version, whatever version is asked
        for, and overlooks what a request holds too much of: Nova's /v2.
    :param methods_hidden: major versions in which a method that a path does not have makes the path unknown (404).
    :param slash_ends_paths: a slash at a path's end is overlooked; otherwise such a path is unknown.
    :param relaxed: keys that nobody reads are overlooked in request bodies and queries.
    :param aliases: other names of paths of major 2, each with what it stands for and the last version that has it.
    :param anonymous: "METHOD /path" of what callers without a token may use, as nobody in no project.
    :param heads: HEAD is answered wherever GET is.
    :param named_error_body: in place of ``error_body``, of an API whose error documents say what kind of error it is.
    """

    public: re.Pattern[str]
    prefixes: Mapping[int, str]
    version: Version | None = None
    anonymous: re.Pattern[str] = re.compile(r"(?!)")
    heads: bool = False
    error_body: ErrorBody = errors.body
    projects_in_paths: bool = False
    removed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    aliases: Mapping[str, tuple[str, Version]] = field(default_factory=dict)
    removed_actions: frozenset[str] = frozenset()
    legacy: tuple[str, str] | None = None
    named_error_body: NamedErrorBody | None = None
    methods_hidden: frozenset[int] = frozenset()
    slash_ends_paths: bool = True
    relaxed: bool = False

    def major_of(self, path: str) -> int:
        """The major version below which ``path`` lies; the first one's for what lies below none."""
        for major, prefix in self.prefixes.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return major
        return next(iter(self.prefixes))


COMPUTE = Service(
    public=re.compile(r"/(?:v2/?|v2\.1/?|v3/?|healthcheck)?|/(?!v2/|v2\.1/|v3/).*"),
    prefixes={2: "/v2.1", 3: "/v3"},
    projects_in_paths=True,
    removed=removed.PATHS,
    aliases=removed.ALIASES,
    removed_actions=removed.SERVER_ACTIONS,
    legacy=("/v2/", "/v2.1/"),
    methods_hidden=frozenset({2}),  # Nova's routes are pairs of path and method
    slash_ends_paths=False,  # and end where their path ends
)
