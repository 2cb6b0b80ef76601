"""Callers are known by a real Keystone: tokens, roles, scopes, service tokens, and a Keystone that is away."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.companions import processes
from tests.companions.cloud import People, call
from tests.serving import PATIENCE, Serving

pytestmark = pytest.mark.timeout(600)  # the first one starts a Keystone, on a machine that may be busy

OPEN, REFUSED = 200, 401


def show_servers(cloud: Serving, token: str | None, **headers: str) -> tuple[int, dict[str, str]]:
    status, answered, _ = call("GET", f"{cloud.url}/v2.1/servers", token, headers=headers)
    return status, answered


def test_an_unmodified_client_logs_in_at_keystone_and_makes_a_server(people: People, cloud: Serving) -> None:
    people.openstack("ada", "demo", "server", "create", "--image", "counting", "--flavor", "m1.pico", "--wait", "one")
    shown = people.openstack("ada", "demo", "server", "show", "one")
    assert shown["status"] == "ACTIVE"
    assert shown["project_id"] == people.ids["demo"]
    assert shown["user_id"] == people.ids["ada"]
    assert people.openstack("eve", "other", "server", "list") == []
    assert [row["Name"] for row in people.openstack("admin", "admin", "server", "list", "--all-projects")] == ["one"]
    people.openstack("ada", "demo", "server", "delete", "--wait", "one", form="")


def test_roles_in_the_token_decide(people: People, cloud: Serving) -> None:
    body = {"server": {"name": "two", "imageRef": "", "flavorRef": "1", "networks": "none"}}
    reader, member = people.token("rob", "demo"), people.token("ada", "demo")
    status, _, _ = call("POST", f"{cloud.url}/v3/servers", reader, body)
    assert status == 403
    assert call("GET", f"{cloud.url}/v2.1/os-hypervisors", member)[0] == 403
    assert call("GET", f"{cloud.url}/v2.1/os-hypervisors", people.token("admin", "admin"))[0] == OPEN


#: A call for each class of rules, and a user of each role: whom it is open to.
CALLS = (
    ("GET", "/servers", None, {"rob", "ada", "admin"}),
    ("POST", "/os-server-groups", {"server_group": {"name": "g", "policies": ["affinity"]}}, {"ada", "admin"}),
    ("GET", "/os-hypervisors", None, {"admin"}),
    (
        "POST",
        "/os-server-external-events",
        {"events": [{"name": "network-changed", "server_uuid": "00000000-0000-0000-0000-000000000000"}]},
        {"admin", "other-service"},
    ),
)


@pytest.mark.parametrize(
    ("user", "project"), [("rob", "demo"), ("ada", "demo"), ("other-service", "service"), ("admin", "admin")]
)
def test_keystones_roles_open_what_the_rules_say(people: People, cloud: Serving, user: str, project: str) -> None:
    token = people.token(user, project)
    for method, path, body, open_to in CALLS:
        status, _, document = call(method, f"{cloud.url}/v2.1{path}", token, body)
        assert (status == 403) == (user not in open_to), (user, method, path, status, document)


def test_a_refusal_tells_where_keystone_is(people: People, cloud: Serving) -> None:
    for token in (None, "none-of-keystones", "nlt_000000000000_" + 43 * "a"):
        status, headers = show_servers(cloud, token)
        assert status == REFUSED
        assert headers["WWW-Authenticate"] == f'Keystone uri="{people.keystone.url}"'


def test_discovery_needs_no_token(cloud: Serving) -> None:
    for path in ("/", "/v2.1/", "/v3/", "/healthcheck"):
        assert call("GET", f"{cloud.url}{path}", None)[0] in (200, 300)


def test_nobody_is_believed_what_only_keystone_says(people: People, cloud: Serving) -> None:
    forged = {"X-Roles": "admin", "X-Identity-Status": "Confirmed", "X-Project-Id": people.ids["demo"]}
    assert show_servers(cloud, None, **forged)[0] == REFUSED
    member = people.token("ada", "demo")
    assert call("GET", f"{cloud.url}/v2.1/os-hypervisors", member, headers=forged)[0] == 403


@pytest.mark.parametrize("scope", [None, {"system": {"all": True}}, {"domain": {"id": "default"}}], ids=str)
def test_only_the_scope_of_a_project_opens_something(people: People, cloud: Serving, scope: object) -> None:
    if scope == {"domain": {"id": "default"}}:
        admin = people.token("admin", "admin")
        roles = people.identity(admin, "GET", "/roles?name=admin")["roles"]
        users = people.identity(admin, "GET", "/users?name=admin")["users"]
        people.identity(admin, "PUT", f"/domains/default/users/{users[0]['id']}/roles/{roles[0]['id']}")
    token = people.token("admin", None, scope=scope)
    assert show_servers(cloud, token)[0] == 403


def test_a_revoked_token_is_refused(people: People, cloud: Serving) -> None:
    token = people.token("ada", "demo")
    assert show_servers(cloud, token)[0] == OPEN
    people.identity(token, "DELETE", "/auth/tokens", **{"X-Subject-Token": token})
    assert show_servers(cloud, token)[0] == REFUSED


@pytest.fixture(scope="module")
def hasty(people: People) -> Iterator[str]:
    with processes.running(people.keystone.hasty(3)) as process:
        yield f"{process.url}/v3"


def test_an_expired_token_is_good_only_with_a_service_token_beside_it(
    people: People, cloud: Serving, hasty: str
) -> None:
    token = people.token("ada", "demo", hasty)
    deadline = time.monotonic() + PATIENCE
    while show_servers(cloud, token)[0] == OPEN:
        assert time.monotonic() < deadline
    assert show_servers(cloud, token)[0] == REFUSED
    service = people.token("other-service", "service")
    assert show_servers(cloud, token, **{"X-Service-Token": service})[0] == OPEN
    another_user = people.token("eve", "other")  # has no service role
    assert show_servers(cloud, token, **{"X-Service-Token": another_user})[0] == REFUSED


def test_a_service_token_that_is_none_refuses_the_request(people: People, cloud: Serving) -> None:
    token = people.token("ada", "demo")
    assert show_servers(cloud, token, **{"X-Service-Token": "nonsense"})[0] == REFUSED


def test_while_keystone_is_away_requests_are_told_so(people: People, cloud: Serving) -> None:
    token = people.token("ada", "demo")
    people.keystone.process.stop()
    try:
        status, _, document = call("GET", f"{cloud.url}/v2.1/servers", token)
        assert status == 503
        assert document["serviceUnavailable"]["code"] == 503
        assert call("GET", f"{cloud.url}/healthcheck", None)[0] == OPEN
    finally:
        people.keystone.process.again()
    assert show_servers(cloud, token)[0] == OPEN


def test_the_embedded_identity_is_off_and_its_siblings_know_keystones_users(people: People, cloud: Serving) -> None:
    assert call("POST", f"{cloud.url}/identity/v3/auth/tokens", None, {})[0] == 300  # no such path: versions
    assert call("GET", f"{cloud.url}/network/v2.0/networks", None)[0] == REFUSED
    assert call("GET", f"{cloud.url}/network/v2.0/networks", people.token("ada", "demo"))[0] == OPEN
