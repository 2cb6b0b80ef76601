"""Version discovery: ``/``, ``/v2/``, ``/v2.1/``, ``/v3/``, 300 for anything else below the root; and the health check.

All of it derives from versions.HISTORY. Documents have the form that keystoneauth reads
(nova/doc/api_samples/versions).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import falcon
import orjson

from nova_lite.api import versions

DESCRIBED_BY = "https://docs.openstack.org/api-ref/compute/"
# In the order of the list: clients of old look at the first entry. Major 3 is ours and still grows, so clients that
# take "the newest" without being told stay on Nova's API.
LEGACY, V2, V3 = "v2", "v2.1", "v3"
_FACTS: dict[str, dict[str, str]] = {
    LEGACY: {"id": "v2.0", "status": "DEPRECATED", "updated": "2025-07-04T12:00:00Z"},
    V2: {"id": "v2.1", "status": "CURRENT", "updated": "2013-07-23T11:33:21Z"},
    V3: {"id": "v3.0", "status": "EXPERIMENTAL", "updated": "2026-11-21T00:00:00Z"},
}
_RANGES = {
    LEGACY: ("", ""),  # knows no microversions
    V2: tuple(map(str, versions.MAJORS[2])),
    V3: tuple(map(str, versions.MAJORS[3])),
}
_MEDIA_TYPES = {LEGACY: "2", V2: "2.1", V3: "3.0"}


def describe(prefix: str, base_url: str) -> dict[str, Any]:
    """One entry of the version list."""
    facts = _FACTS[prefix]
    minimum, maximum = _RANGES[prefix]
    return {
        "id": facts["id"],
        "status": facts["status"],
        "version": maximum,
        "min_version": minimum,
        "updated": facts["updated"],
        "links": [{"rel": "self", "href": f"{base_url}/{prefix}/"}],
    }


def document(prefix: str, base_url: str) -> dict[str, Any]:
    """The document at the root of one major version."""
    entry = describe(prefix, base_url)
    entry["links"].append({"rel": "describedby", "type": "text/html", "href": DESCRIBED_BY})
    entry["media-types"] = [
        {
            "base": "application/json",
            "type": f"application/vnd.openstack.compute+json;version={_MEDIA_TYPES[prefix]}",
        }
    ]
    return {"version": entry}


class Discovery:
    """Falcon resource for the documents and the 300; none of them needs a token."""

    def __init__(self, endpoint_url: str | None) -> None:
        self._endpoint_url = endpoint_url

    def _base(self, http: falcon.Request) -> str:
        return (self._endpoint_url or http.prefix).rstrip("/")

    def on_get(self, http: falcon.Request, resp: falcon.Response) -> None:
        """All versions."""
        _json(resp, {"versions": [describe(prefix, self._base(http)) for prefix in _FACTS]})

    def on_get_legacy(self, http: falcon.Request, resp: falcon.Response) -> None:
        """The document of /v2, which is 2.1 for clients that know no versions."""
        _json(resp, document(LEGACY, self._base(http)))

    def on_get_v2(self, http: falcon.Request, resp: falcon.Response, project_id: str | None = None) -> None:
        """The document of major 2; behind a project, as in the catalogs of old, only behind the caller's own."""
        if project_id is not None and project_id != http.context.request.context.project_id:
            raise falcon.HTTPRouteNotFound()
        _json(resp, document(V2, self._base(http)))

    def on_get_v3(self, http: falcon.Request, resp: falcon.Response) -> None:
        _json(resp, document(V3, self._base(http)))

    def multiple_choices(self, req: falcon.Request, resp: falcon.Response, **fields: str) -> None:
        """Any path outside the versions: 300 with where the same path would be in each, as Nova answers."""
        base = self._base(req)
        choices = []
        for prefix, facts in _FACTS.items():
            choices.append(
                {
                    "id": facts["id"],
                    "status": facts["status"],
                    "links": [{"rel": "self", "href": f"{base}/{prefix}{req.path}"}],
                    "media-types": document(prefix, base)["version"]["media-types"],
                }
            )
        resp.status = falcon.HTTP_300
        _json(resp, {"choices": choices})


class HealthCheck:
    """``GET /healthcheck``: 200 while requests can be accepted, 503 when the database does not answer.

    The agent is reported but does not decide: without it, accepted work waits in the journal.
    """

    def __init__(self, checks: dict[str, Callable[[], bool]], required: frozenset[str]) -> None:
        self._checks = checks
        self._required = required

    def on_get(self, http: falcon.Request, resp: falcon.Response) -> None:
        results = {name: "ok" if check() else "down" for name, check in self._checks.items()}
        healthy = all(results[name] == "ok" for name in self._required)
        resp.status = falcon.HTTP_200 if healthy else falcon.HTTP_503
        _json(resp, {"status": "ok" if healthy else "down", **results})


def _json(resp: falcon.Response, document: dict[str, Any]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = orjson.dumps(document)
