"""Schemathesis on the generated OpenAPI documents: whatever they allow to ask, no answer is a 500 or unnamed by them.

In `make test` each operation is asked a few times at one version; `make fuzz-api` asks more, at all VERSIONS.
"""

from __future__ import annotations

import functools
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from nova_lite.api.versions import Version
from nova_lite.reference import build, openapi
from tests.functional import belongings
from tests.functional.cloud import ADMIN, Cloud

VERSIONS = ("2.104", "2.1", "3.0", "2.53")
MANY = int(os.environ.get("FUZZ_API", "0"))  # requests to each operation
FEW = 3
# That documents are as declared, the cloud's own witness proves (tests/functional/promises.py).
CHECKS: list[CheckFunction] = [status_code_conformance, content_type_conformance]
#: 503: the agent, or the service of events, that would answer is not there; any operation may say so.
UNNAMED = frozenset({503})


class Door:
    """Operations are read before there is a cloud to ask; it stands behind this."""

    app: Any = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.app(environ, start_response)


DOOR = Door()


@functools.cache
def reference() -> build.Reference:
    return build.reference()


@functools.cache
def operations(version: str) -> dict[str, Any]:
    """By method and path."""
    schema = schemathesis.openapi.from_dict(openapi.document(reference(), Version.parse(version)))
    schema.app = DOOR
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


def asked(version: str) -> list[Any]:
    """Of each operation's versions one is asked, they take turns; `make fuzz-api` asks them all."""
    places: dict[str, list[str]] = {}
    for one in VERSIONS:
        for label in operations(one):
            places.setdefault(label, []).append(one)
    turns = {label: there[position % len(there)] for position, (label, there) in enumerate(places.items())}
    return [found for label, found in operations(version).items() if MANY or turns[label] == version]


@pytest.fixture(scope="module")
def cloud(module_cloud: Cloud) -> Cloud:
    return module_cloud


@pytest.fixture(scope="module")
def ids(cloud: Cloud) -> dict[str, str]:
    found = belongings.of_p1(cloud)
    cloud.keep()
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_document_says_holds(cloud: Cloud, ids: dict[str, str], version: str) -> None:
    DOOR.app = cloud.app
    faults = {}
    for operation in asked(version):
        try:
            ask(operation, version, ids)
        except (AssertionError, ExceptionGroup) as fault:
            faults[operation.label] = fault
        finally:
            cloud.reset()
    assert not faults, "\n\n".join(f"{label}: {fault}" for label, fault in faults.items())


def ask(operation: Any, version: str, ids: dict[str, str]) -> None:
    """Requests to one operation, about half of them for what is there."""

    @settings(
        max_examples=MANY or FEW,
        deadline=None,
        derandomize=not MANY,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(), known=st.booleans())
    def send(case: schemathesis.Case, known: bool) -> None:
        if known:
            case.path_parameters = {name: ids.get(name, value) for name, value in (case.path_parameters or {}).items()}
        headers = {"X-Auth-Token": ADMIN, "OpenStack-API-Version": f"compute {version}"}
        answer = case.call(headers=headers)
        assert answer.status_code != 500
        if answer.status_code not in UNNAMED:
            case.validate_response(answer, checks=CHECKS)

    send()
