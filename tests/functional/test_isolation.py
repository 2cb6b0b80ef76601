"""Whose is it, and who may: every operation for every role, in its own project and as a stranger.

A stranger's answer is the answer for what does not exist, word for word; nothing in a listing, a count, a header or a
message says that there is more. The same for Image, Volume and Network beside the Compute API.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from nova_lite import policies
from nova_lite.api import app
from nova_lite.api.operations import Operation, Table
from nova_lite.api.policy import PolicyEngine
from nova_lite.api.versions import Version
from nova_lite.embedded.image import app as image_app
from nova_lite.embedded.network import app as network_app
from nova_lite.embedded.volume import app as volume_app
from tests.functional import belongings
from tests.functional.belongings import missing, told
from tests.functional.cloud import Cloud
from tests.functional.companion import Companion

KNOWN = PolicyEngine(None).registered
CHECKS = {rule.name: rule.check_str for rule in policies.list_rules()}
TABLE: Table = app.build_table(None, KNOWN)
COMPANIONS = {"image": image_app, "network": network_app, "volume": volume_app}
COMPANION_TABLES = {name: module.build_table(None, KNOWN) for name, module in COMPANIONS.items()}

#: Callers of the project that owns everything; ``admin`` is of another one.
ROLES = {
    "nobody": "u2:p1:", "reader": "u2:p1:reader", "member": "u2:p1:member", "manager": "u2:p1:manager",
    "service": "u2:p1:service", "admin": "admin",
}  # fmt: skip
EVERYBODY = frozenset(ROLES)
#: Who passes each check that a rule has by default: Nova's personas.
ALLOWED = {
    "@": EVERYBODY,
    "": EVERYBODY,
    "rule:context_is_admin": frozenset({"admin"}),
    "rule:service_or_admin": frozenset({"admin", "service"}),
    "rule:project_manager_or_admin": frozenset({"admin", "manager"}),
    "rule:project_member_or_admin": frozenset({"admin", "manager", "member"}),
    "rule:project_reader_or_admin": frozenset({"admin", "manager", "member", "reader"}),
    "role:member or rule:context_is_admin": frozenset({"admin", "manager", "member"}),
    # A user's own things: without a word about whose, they are the caller's.
    "(rule:context_is_admin) or user_id:%(user_id)s": EVERYBODY,
}
#: Whom a second rule refuses that depends on what is asked: here on a project that the request does not name.
NARROWER = {"migrations.index": frozenset({"manager"})}
STRANGERS = ("u9:p9:manager", "u9:p9:reader", "u9:p9:")


def ends(operation: Operation) -> list[Version]:
    """The oldest and the newest version of each major."""
    found = []
    for major in (2, 3):
        versions = [version for version in operation.versions if version.major == major]
        found += sorted({versions[0], versions[-1]}) if versions else []
    return found


def path_of(operation: Operation, major: int, ids: dict[str, str]) -> str:
    return re.sub(r"\{([a-z_]+)\}", lambda match: ids.get(match[1], "any"), operation.paths[major])


def request_of(operation: Operation, major: int) -> dict[str, Any]:
    """A body that no operation takes; whether the caller may ask at all comes before that."""
    if operation.actions:
        return {"json": {operation.actions[major]: {"no": "such key"}}}
    return {"json": {"no": "such key"}} if operation.method in ("POST", "PUT", "PATCH") else {}


@pytest.fixture(scope="module")
def cloud(module_cloud: Cloud) -> Cloud:
    return module_cloud


@pytest.fixture(scope="module")
def ids(cloud: Cloud) -> dict[str, str]:
    found = belongings.of_p1(cloud)
    cloud.keep()
    return found


@pytest.fixture(scope="module")
def companions(cloud: Cloud) -> dict[str, Companion]:
    return {name: Companion(cloud, module) for name, module in COMPANIONS.items()}


@pytest.mark.parametrize("operation", TABLE.operations, ids=lambda operation: operation.name)
def test_each_role_may_what_its_rule_says(cloud: Cloud, ids: dict[str, str], operation: Operation) -> None:
    for version in ends(operation):
        path, request = path_of(operation, version.major, ids), request_of(operation, version.major)
        for role, token in ROLES.items():
            status = cloud(operation.method, path, str(version), token, **request).status_code
            if role in ALLOWED[CHECKS[operation.policy]] - NARROWER.get(operation.name, frozenset()):
                assert status not in (401, 403), (role, version, status)
            else:
                assert status == 403, (role, version, status)
            if operation.method != "GET" and status < 300:
                cloud.reset()


@pytest.mark.parametrize("operation", TABLE.operations, ids=lambda operation: operation.name)
def test_to_a_stranger_what_is_there_is_as_what_is_not(cloud: Cloud, ids: dict[str, str], operation: Operation) -> None:
    look_same(
        operation,
        ids,
        lambda path, version, token, request: cloud(operation.method, path, str(version), token, **request),
        ends(operation),
    )


@pytest.mark.parametrize(
    ("name", "operation"),
    [(name, operation) for name, table in COMPANION_TABLES.items() for operation in table],
    ids=lambda value: value if isinstance(value, str) else f"{value.method}{value.paths[min(value.paths)]}",
)
def test_so_it_is_in_the_services_beside(
    cloud: Cloud, ids: dict[str, str], companions: dict[str, Companion], name: str, operation: Operation
) -> None:
    module = COMPANIONS[name]
    prefix = module.SERVICE.prefixes[module.SERVICE.version.major]
    look_same(
        operation,
        ids,
        lambda path, version, token, request: companions[name](operation.method, prefix + path, token, **request),
        [module.SERVICE.version],
    )


def look_same(
    operation: Operation,
    ids: dict[str, str],
    send: Callable[[str, Version, str, dict[str, Any]], Any],
    versions: list[Version],
) -> None:
    """A stranger who names p1's things, in the path or in a query, is told what one who names nothing is told."""
    nothing = missing(ids)
    for version in versions:
        major = version.major
        request = request_of(operation, major)
        for token, query in asked(operation, version):
            theirs = send(path_of(operation, major, ids) + query.format(**ids), version, token, request)
            none = send(path_of(operation, major, nothing) + query.format(**nothing), version, token, request)
            assert told(theirs, ids) == told(none, nothing), (version, token, query)
            if operation.object_field and operation.object_field not in OF_THE_HOST and not operation.ownerless:
                assert theirs.status_code == 404, (version, token, theirs.text)


def asked(operation: Operation, version: Version) -> Iterator[tuple[str, str]]:
    """Callers and queries: every filter that the operation has at that version and that can name p1's things."""
    if "{" in operation.paths[version.major]:
        for token in STRANGERS:
            yield token, ""
    schemas = operation.prepared.schemas
    entry = schemas.query.at(version) if schemas and schemas.query else None
    for name in entry.schema.get("properties", ()) if entry and entry.schema else ():
        for value in QUERIES.get(name, ()):
            yield STRANGERS[0], f"?{name}={value}"


#: Path fields whose things are nobody's.
OF_THE_HOST = frozenset({"service_id", "hypervisor_id"})
QUERIES = {
    "all_tenants": ("1",), "all_projects": ("1",), "project_id": ("{project_id}",), "tenant_id": ("{project_id}",),
    "user_id": ("u1",), "name": ("{keypair_name}",), "instance_uuid": ("{server_id}",), "server_id": ("{server_id}",),
    "network_id": ("{network_id}",), "device_id": ("{server_id}",), "image": ("{image_id}",),
    "flavor": ("{flavor_id}",), "volume_id": ("{volume_id}",), "uuid": ("{server_id}",), "id": ("{network_id}",),
    "port_id": ("{port_id}",), "router_id": ("{router_id}",), "reservation_id": ("r-{server_id}",),
    "marker": (
        "{server_id}", "{keypair_name}", "{volume_id}", "{snapshot_id}", "{server_group_id}", "{image_id}",
        "{flavor_id}",
    ),
}  # fmt: skip
