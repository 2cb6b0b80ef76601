"""Every operation of the table is under its rule, at both majors, before a word of the request's body is read."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from nova_lite import policies
from nova_lite.api import app
from nova_lite.api.operations import Operation, Table
from nova_lite.api.policy import PolicyEngine
from nova_lite.api.versions import Version
from nova_lite.compute import networks
from nova_lite.context import RequestContext
from tests.functional.cloud import ADMIN, HOST, IMAGE_ID, MEMBER, NOBODY, Cloud

RULES = {rule.name: rule for rule in policies.list_rules()}
TABLE: Table = app.build_table(None, PolicyEngine(None).registered)

# Nova's defaults leave these to everyone who has a token: public lists, and what is the caller's own.
OPEN_TO_ALL = frozenset(
    operation.name
    for operation in TABLE
    if RULES[operation.policy].check_str in ("", "@") or "user_id:%(user_id)s" in RULES[operation.policy].check_str
)


def _walk() -> Iterator[pytest.param]:
    for operation in TABLE:
        for major in (2, 3):
            versions = [version for version in operation.versions if version.major == major]
            for version in sorted({versions[0], versions[-1]} if versions else ()):
                yield pytest.param(operation, version, id=f"{operation.name}-{version}")


@pytest.fixture(scope="module")
def closed_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, dict[str, str]]]:
    """A cloud whose policy file closes every operation, and the ids of one object of every kind."""
    state = tmp_path_factory.mktemp("closed")
    closed = {operation.policy for operation in TABLE}
    (state / "policy.yaml").write_text("".join(f'"{rule}": "!"\n' for rule in sorted(closed)))
    cloud = Cloud(state)
    yield cloud, _ids(cloud)
    cloud.close()


@pytest.fixture(scope="module")
def open_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, dict[str, str]]]:
    cloud = Cloud(tmp_path_factory.mktemp("open"))
    yield cloud, _ids(cloud)
    cloud.close()


def _ids(cloud: Cloud) -> dict[str, str]:
    server = cloud.add_server("walked")
    context = RequestContext(user_id="admin", project_id="admin", roles=["admin"], is_admin=True)
    operation = cloud.compute.list_operations(context, server)[0]
    service = cloud.compute.list_services(context)[0]
    node = cloud.compute.list_hypervisors(context)[0]
    owner = RequestContext(user_id="u1", project_id="p1", roles=["member"])
    group = cloud.compute.create_server_group(owner, name="walked", policy="affinity")
    member = RequestContext(user_id="u1", project_id="p1", roles=["member", "reader"])
    volume = cloud.compute.create_volume(member, size_gb=1)
    cloud.compute.set_volume_status(member, volume, "available")
    snapshot = cloud.compute.create_volume_snapshot(member, volume.uuid)
    network = networks.create_network(cloud.compute.database, HOST, "walked", "172.24.4.0/24", external=True)
    floating_ip = cloud.compute.network.create_floating_ip(owner, network_id=network.id)
    (default,) = cloud.compute.network.list_groups(owner)
    return {
        "volume_id": volume.uuid, "snapshot_id": snapshot.uuid, "network_id": network.id,
        "floating_ip_id": floating_ip.id, "group_id": default.id, "rule_id": default.rules[0].id,
        "server_id": server, "flavor_id": "42", "image_id": IMAGE_ID, "request_id": operation.request_id,
        "operation_id": operation.uuid, "service_id": service.uuid, "hypervisor_id": node.uuid,
        "server_group_id": group.uuid,
    }  # fmt: skip


def _send(cloud: Cloud, ids: dict[str, str], operation: Operation, version: Version, token: str) -> int:
    path = re.sub(r"\{([a-z_]+)\}", lambda match: ids.get(match[1], "any"), operation.paths[version.major])
    request: dict = {"json": {operation.actions[version.major]: {"no": "such key"}}} if operation.actions else {}
    if operation.method in ("POST", "PUT") and not operation.actions:
        request = {"body": "{ not JSON"}
    return cloud(operation.method, path, str(version), token, **request).status_code


@pytest.mark.parametrize(("operation", "version"), list(_walk()))
def test_a_closed_rule_refuses_members_and_administrators(
    closed_cloud: tuple[Cloud, dict[str, str]], operation: Operation, version: Version
) -> None:
    for token in (MEMBER, ADMIN):
        assert _send(*closed_cloud, operation, version, token) == 403


@pytest.mark.parametrize(("operation", "version"), list(_walk()))
def test_a_caller_without_a_role_is_refused(
    open_cloud: tuple[Cloud, dict[str, str]], operation: Operation, version: Version
) -> None:
    status = _send(*open_cloud, operation, version, NOBODY)
    if operation.name in OPEN_TO_ALL:
        assert status not in (401, 403)
        assert status < 500
    else:
        assert status == 403


def test_the_operations_open_to_all_are_only_these() -> None:
    families = {name.partition(".")[0] for name in OPEN_TO_ALL}
    assert families == {
        *("availability_zones", "extensions", "flavors", "floating_ips", "image_metadata"),
        *("images", "keypairs", "limits"),
        "quota_sets",
    }


@pytest.mark.parametrize(("operation", "version"), list(_walk()))
def test_without_a_token_nothing_answers(
    open_cloud: tuple[Cloud, dict[str, str]], operation: Operation, version: Version
) -> None:
    path = re.sub(r"\{[a-z_]+\}", "any", operation.paths[version.major])
    assert open_cloud[0](operation.method, path, str(version), None).status_code == 401


@pytest.mark.parametrize(
    ("operation", "version"), [p for p in _walk() if getattr(p.values[0].object_class, "__name__", "") == "Instance"]
)
def test_a_strangers_server_does_not_exist(
    open_cloud: tuple[Cloud, dict[str, str]], operation: Operation, version: Version
) -> None:
    if operation.object_field is not None:
        assert _send(*open_cloud, operation, version, "u9:p9") == 404
