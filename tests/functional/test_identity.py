"""The embedded Identity service: passwords and tokens, who may do what, and what a token opens in the Compute API."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import falcon.testing
import pytest
import sqlalchemy as sa

from nova_lite import conf as nova_lite_conf
from nova_lite.api import app, policy
from nova_lite.api.service import COMPUTE
from nova_lite.compute import api as compute_api
from nova_lite.compute import flavors
from nova_lite.db.tables import metadata
from nova_lite.embedded.identity import app as identity_app
from nova_lite.embedded.identity import bootstrap, fernet_keys
from nova_lite.embedded.image import app as image_app
from nova_lite.embedded.mount import Mounts
from nova_lite.embedded.network import app as network_app
from nova_lite.embedded.volume import app as volume_app
from tests.functional import promises

IDS = {name: name.encode().hex().ljust(32, "0") for name in ("project", "user", *bootstrap.ROLES)}


def _promised(apps: Mounts) -> Mounts:
    """The same, with a witness before each (tests/functional/promises.py)."""
    known = policy.PolicyEngine(None).registered
    tables = {
        "/identity": (identity_app.build_table(None, None, known), identity_app.SERVICE),
        **{
            f"/{name}": (module.build_table(None, known), module.SERVICE)
            for name, module in (("image", image_app), ("network", network_app), ("volume", volume_app))
        },
    }
    main = promises.Promises(apps.main, app.build_table(None, known), COMPUTE)
    return Mounts(main, {path: promises.Promises(one, *tables[path]) for path, one in apps.mounted.items()})


class Cloud:
    """Compute and Identity behind one WSGI application; ``admin`` is a token of the administrator."""

    def __init__(self, state: Path, **options: Any) -> None:
        conf = nova_lite_conf.load([], [])
        conf.set_override("state_path", str(state))
        for name, value in options.items():
            conf.set_override(name, value, group="identity")
        nova_lite_conf.paths(conf).make()
        self.paths, self.conf = nova_lite_conf.paths(conf), conf
        self.compute = compute_api.connect(conf)
        with self.compute.database.write() as connection:
            flavors.seed(connection)
        self.client = falcon.testing.TestClient(_promised(app.build(conf, self.compute)))
        self.begin()

    def begin(self) -> None:
        """A new cloud's users, projects and roles, and no others."""
        with self.compute.database.write() as connection:
            for kind in ("users", "projects", "roles"):
                connection.execute(sa.delete(metadata.tables[f"identity_{kind}"]))
        assert bootstrap.bootstrap(self.compute.database, IDS, "secret")
        self.admin = self.token("admin", "secret", "admin")

    def __call__(self, method: str, path: str, token: str | None = None, **request: Any) -> falcon.testing.Result:
        headers = dict(request.pop("headers", {})) | ({"X-Auth-Token": token} if token else {})
        return self.client.simulate_request(method, path, headers=headers, **request)

    def authenticate(self, name: str, password: str, scope: Any = None, **user: Any) -> falcon.testing.Result:
        shown = {"name": name, "domain": {"id": "default"}, "password": password, **user}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": shown}}}
        if scope is not None:
            auth["scope"] = scope
        return self("POST", "/identity/v3/auth/tokens", json={"auth": auth})

    def token(self, name: str, password: str, project: str) -> str:
        scope = {"project": {"name": project, "domain": {"name": "Default"}}}
        answer = self.authenticate(name, password, scope)
        assert answer.status_code == 201, answer.text
        return answer.headers["X-Subject-Token"]

    def make(self, kind: str, **values: Any) -> str:
        answer = self("POST", f"/identity/v3/{kind}s", self.admin, json={kind: values})
        assert answer.status_code == 201, answer.text
        return answer.json[kind]["id"]

    def member(self, name: str = "ada", project: str = "demo", role: str = "member") -> tuple[str, str]:
        """A user with one role in a project of its own; ids of both. The password is ``pass``."""
        user, where = self.make("user", name=name, password="pass"), self.make("project", name=project)
        assert self.grant("PUT", where, user, role).status_code == 204
        return user, where

    def grant(self, method: str, project: str, user: str, role: str) -> falcon.testing.Result:
        return self(method, f"/identity/v3/projects/{project}/users/{user}/roles/{IDS[role]}", self.admin)


@pytest.fixture(scope="module")
def one_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    yield made
    made.compute.database.close()


@pytest.fixture
def cloud(one_cloud: Cloud) -> Cloud:
    one_cloud.begin()
    return one_cloud


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in force within a second is in force at once here."""
    monkeypatch.setattr("nova_lite.embedded.identity.tokens.REMEMBERED", 0.0)


def test_discovery_needs_no_token(cloud: Cloud) -> None:
    listed = cloud("GET", "/identity")
    assert listed.status_code == 300
    (version,) = listed.json["versions"]["values"]
    assert version["status"] == "stable"
    assert cloud("GET", "/identity/v3").json["version"] == version
    assert version["links"][0]["href"].endswith("/identity/v3/")


def test_a_token_by_password_says_who_and_where_and_opens_the_compute_api(cloud: Cloud) -> None:
    user, project = cloud.member()
    scope = {"project": {"id": project}}
    answer = cloud.authenticate("ada", "pass", scope)
    token = answer.json["token"]
    assert (token["user"]["id"], token["project"]["id"], token["methods"]) == (user, project, ["password"])
    assert [role["name"] for role in token["roles"]] == ["member", "reader"]  # the second is implied
    found = {service["type"]: service["endpoints"] for service in token["catalog"]}
    assert {"identity", "compute", "image"} <= found.keys()
    assert {endpoint["interface"] for endpoint in found["compute"]} == {"public", "internal", "admin"}
    text = answer.headers["X-Subject-Token"]
    assert cloud("GET", "/v2.1/flavors", text).status_code == 200
    assert cloud("GET", f"/v2.1/{project}/servers", text).status_code == 200
    assert cloud("GET", "/v2.1/os-services", text).status_code == 403  # no administrator
    assert cloud("GET", "/v2.1/os-services", cloud.admin).status_code == 200
    assert cloud("GET", "/image/v2/images", text).json["images"] == []


@pytest.mark.parametrize(
    ("name", "password", "scope"),
    [
        ("nobody", "pass", None),
        ("ada", "wrong", None),
        ("ada", "", None),
        ("switched-off", "pass", None),
        ("ada", "pass", {"project": {"id": "f" * 32}}),
        ("ada", "pass", {"project": {"name": "admin", "domain": {"id": "default"}}}),  # no role there
        ("ada", "pass", {"project": {"name": "demo", "domain": {"id": "other"}}}),
        ("ada", "pass", {"domain": {"id": "default"}}),
        ("ada", "pass", {"system": {"all": True}}),
    ],
)
def test_whoever_does_not_show_who_they_are_gets_no_token(cloud: Cloud, name: str, password: str, scope: Any) -> None:
    cloud.member()
    cloud.make("user", name="switched-off", password="pass", enabled=False)
    answer = cloud.authenticate(name, password, scope)
    assert answer.status_code == 401
    assert answer.json["error"]["code"] == 401
    assert "X-Subject-Token" not in answer.headers
    assert "pass" not in answer.json["error"]["message"]


@pytest.mark.parametrize(
    "auth",
    [
        {},
        {"identity": {"methods": ["password"]}},
        {"identity": {"methods": ["password"], "password": {"user": {"name": "ada", "password": "pass"}}}},  # where?
        {"identity": {"methods": ["password"], "password": {"user": {"name": "ada"}}}},
        {"identity": {"methods": ["password"], "password": {"user": {"name": "ada", "password": 7}}}},
        {"identity": {"methods": ["password"]}, "scope": "everything"},
        {"identity": {"methods": ["password"]}, "scope": {"project": {"id": "a"}, "domain": {"id": "b"}}},
    ],
)
def test_a_malformed_request_for_a_token_is_refused_without_its_password(cloud: Cloud, auth: Any) -> None:
    answer = cloud("POST", "/identity/v3/auth/tokens", json={"auth": auth})
    assert answer.status_code == 400
    assert answer.json["error"]["title"] == "Bad Request"


def test_methods_that_do_not_exist_here_authenticate_nobody(cloud: Cloud) -> None:
    for methods in (["totp"], []):
        answer = cloud("POST", "/identity/v3/auth/tokens", json={"auth": {"identity": {"methods": methods}}})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == 'Keystone uri="http://falconframework.org/identity/v3"'


def test_a_token_is_had_for_a_token_and_ends_no_later(cloud: Cloud) -> None:
    cloud.member()
    first = cloud.authenticate("ada", "pass", "unscoped")
    assert "project" not in first.json["token"] and "catalog" not in first.json["token"]
    auth = {
        "identity": {"methods": ["token"], "token": {"id": first.headers["X-Subject-Token"]}},
        "scope": {"project": {"name": "demo", "domain": {"id": "default"}}},
    }
    second = cloud("POST", "/identity/v3/auth/tokens", json={"auth": auth})
    assert second.status_code == 201
    assert second.json["token"]["expires_at"] == first.json["token"]["expires_at"]
    assert second.json["token"]["audit_ids"][1] == first.json["token"]["audit_ids"][0]
    assert set(second.json["token"]["methods"]) == {"password", "token"}


def test_without_a_scope_the_default_project_counts(cloud: Cloud) -> None:
    user, project = cloud.member()
    assert "project" not in cloud.authenticate("ada", "pass").json["token"]
    cloud("PATCH", f"/identity/v3/users/{user}", cloud.admin, json={"user": {"default_project_id": project}})
    assert cloud.authenticate("ada", "pass").json["token"]["project"]["id"] == project


def test_a_revoked_token_opens_nothing_any_more(cloud: Cloud) -> None:
    cloud.member()
    token = cloud.token("ada", "pass", "demo")
    other = cloud.token("ada", "pass", "demo")
    path, subject = "/identity/v3/auth/tokens", {"X-Subject-Token": token}
    assert cloud("HEAD", path, token, headers=subject).status_code == 200
    assert cloud("DELETE", path, token, headers=subject).status_code == 204
    assert cloud("GET", "/v2.1/servers", token).status_code == 401
    assert cloud("GET", "/v2.1/servers", other).status_code == 200
    assert cloud("GET", path, cloud.admin, headers=subject).status_code == 404


def test_a_stranger_may_not_look_at_a_token(cloud: Cloud) -> None:
    cloud.member()
    cloud.member("eve", "evil")
    subject = {"X-Subject-Token": cloud.token("ada", "pass", "demo")}
    eve = cloud.token("eve", "pass", "evil")
    for method in ("GET", "HEAD", "DELETE"):
        assert cloud(method, "/identity/v3/auth/tokens", eve, headers=subject).status_code == 403
    assert cloud("GET", "/identity/v3/auth/tokens", cloud.admin, headers=subject).json["token"]["user"]["name"] == "ada"
    assert cloud("GET", "/identity/v3/auth/tokens", cloud.admin).status_code == 404


@pytest.mark.parametrize("change", ["password", "disable", "delete", "role", "project", "project-off"])
def test_tokens_end_with_what_they_stand_for(cloud: Cloud, change: str) -> None:
    user, project = cloud.member()
    token = cloud.token("ada", "pass", "demo")
    assert cloud("GET", "/v2.1/servers", token).status_code == 200
    if change == "password":
        answer = cloud(
            "POST",
            f"/identity/v3/users/{user}/password",
            token,
            json={"user": {"original_password": "pass", "password": "new"}},
        )
    elif change == "disable":
        answer = cloud("PATCH", f"/identity/v3/users/{user}", cloud.admin, json={"user": {"enabled": False}})
    elif change == "delete":
        answer = cloud("DELETE", f"/identity/v3/users/{user}", cloud.admin)
    elif change == "role":
        answer = cloud.grant("DELETE", project, user, "member")
    elif change == "project":
        answer = cloud("DELETE", f"/identity/v3/projects/{project}", cloud.admin)
    else:
        answer = cloud("PATCH", f"/identity/v3/projects/{project}", cloud.admin, json={"project": {"enabled": False}})
    assert answer.status_code in (200, 204), answer.text
    assert cloud("GET", "/v2.1/servers", token).status_code == 401
    assert cloud("GET", "/v2.1/servers", cloud.admin).status_code == 200


def test_a_role_that_is_given_counts_for_tokens_that_are_there(cloud: Cloud) -> None:
    user, project = cloud.member(role="reader")
    token = cloud.token("ada", "pass", "demo")
    keypair = {"keypair": {"name": "k"}}
    assert cloud("GET", "/v2.1/os-services", token).status_code == 403
    cloud.grant("PUT", project, user, "admin")
    assert cloud("GET", "/v2.1/os-services", token).status_code == 200
    assert cloud("POST", "/v2.1/os-keypairs", token, json=keypair).status_code == 200


def test_a_password_is_changed_only_by_who_knows_it(cloud: Cloud) -> None:
    user, _ = cloud.member()
    token = cloud.token("ada", "pass", "demo")
    path = f"/identity/v3/users/{user}/password"
    wrong = {"user": {"original_password": "guess", "password": "new"}}
    assert cloud("POST", path, token, json=wrong).status_code == 401
    assert cloud.authenticate("ada", "new").status_code == 401
    assert cloud.authenticate("ada", "pass").status_code == 201


def test_expired_and_foreign_tokens_are_refused(tmp_path: Path) -> None:
    cloud = Cloud(tmp_path, token_expiration=1)
    token = cloud.admin
    data = json.dumps([IDS["user"], IDS["project"], ["password"], "2020-01-01T00:00:00+00:00", "x", ["a"]])
    assert cloud("GET", "/v2.1/servers", "gAAAA" + "x" * 80).status_code == 401
    other = fernet_keys.FernetKeys(tmp_path / "other.keys")
    assert cloud("GET", "/v2.1/servers", other.encrypt(data.encode())).status_code == 401
    found = cloud("GET", "/identity/v3/auth/tokens", token, headers={"X-Subject-Token": token})
    assert found.status_code == 200
    os.utime(cloud.paths.fernet_keys)  # looked at again, still the same keys
    while cloud("GET", "/v2.1/servers", token).status_code == 200:
        pass  # a second at most
    assert cloud("GET", "/v2.1/servers", token).status_code == 401
    cloud.compute.database.close()


def test_keys_can_be_rotated_and_the_last_ones_stay_good(cloud: Cloud) -> None:
    for _ in range(fernet_keys.KEPT - 1):
        fernet_keys.rotate(cloud.paths.fernet_keys)
        assert cloud("GET", "/v2.1/servers", cloud.admin).status_code == 200
    assert fernet_keys.rotate(cloud.paths.fernet_keys) == fernet_keys.KEPT
    assert cloud("GET", "/v2.1/servers", cloud.admin).status_code == 401
    assert cloud.paths.fernet_keys.stat().st_mode & 0o077 == 0


def test_users_projects_and_roles_through_their_life(cloud: Cloud) -> None:
    for kind, extra in (("user", {"email": "a@example.com"}), ("project", {"tags": ["x"]}), ("role", {})):
        path = f"/identity/v3/{kind}s"
        identifier = cloud.make(kind, name="thing", description="first", **extra)
        shown = cloud("GET", f"{path}/{identifier}", cloud.admin).json[kind]
        assert (shown["name"], shown["description"]) == ("thing", "first")
        assert extra.items() <= shown.items()
        assert "password" not in json.dumps(shown).replace("password_expires_at", "")
        again = cloud("POST", path, cloud.admin, json={kind: {"name": "thing"}})
        assert again.status_code == 409 and "thing" in again.json["error"]["message"]
        listed = cloud("GET", path, cloud.admin, params={"name": "thing"}).json
        assert [item["id"] for item in listed[f"{kind}s"]] == [identifier]
        renamed = cloud("PATCH", f"{path}/{identifier}", cloud.admin, json={kind: {"name": "other"}})
        assert renamed.json[kind] == shown | {"name": "other"}
        unknown = cloud("PATCH", f"{path}/{identifier}", cloud.admin, json={kind: {"colour": "red"}})
        assert unknown.status_code == 200 and "colour" not in unknown.json[kind]  # Keystone takes any key
        assert cloud("DELETE", f"{path}/{identifier}", cloud.admin).status_code == 204
        assert cloud("GET", f"{path}/{identifier}", cloud.admin).status_code == 404


def test_grants_and_their_listing(cloud: Cloud) -> None:
    user, project = cloud.member()
    assert cloud.grant("HEAD", project, user, "member").status_code == 204
    assert cloud.grant("HEAD", project, user, "admin").status_code == 404
    assert cloud.grant("PUT", project, user, "member").status_code == 204  # again
    path = f"/identity/v3/projects/{project}/users/{user}/roles"
    assert [role["name"] for role in cloud("GET", path, cloud.admin).json["roles"]] == ["member"]
    query = {"user.id": user, "include_names": "1"}
    (held,) = cloud("GET", "/identity/v3/role_assignments", cloud.admin, params=query).json["role_assignments"]
    assert (held["role"]["name"], held["scope"]["project"]["name"], held["user"]["name"]) == ("member", "demo", "ada")
    assert cloud.grant("DELETE", project, user, "member").status_code == 204
    assert cloud.grant("DELETE", project, user, "member").status_code == 404
    assert cloud.grant("PUT", project, "f" * 32, "member").status_code == 404
    assert cloud.grant("PUT", "f" * 32, user, "member").status_code == 404


def test_assignments_with_what_they_imply(cloud: Cloud) -> None:
    user, _ = cloud.member()
    path, query = "/identity/v3/role_assignments", {"user.id": user, "effective": "", "include_names": ""}
    held = cloud("GET", path, cloud.admin, params=query).json["role_assignments"]
    assert [one["role"]["name"] for one in held] == ["member", "reader"]
    held = cloud("GET", path, cloud.admin, params=query | {"role.id": IDS["reader"]}).json["role_assignments"]
    assert [one["role"]["name"] for one in held] == ["reader"]
    for other in ({"scope.system": "all"}, {"scope.domain.id": "default"}, {"group.id": "x"}):
        assert cloud("GET", path, cloud.admin, params=other).json["role_assignments"] == []


def test_projects_by_their_tags_and_their_place(cloud: Cloud) -> None:
    project = cloud.make("project", name="tagged", tags=["x", "y"])
    path = "/identity/v3/projects"
    for query, there in (
        ({"tags": "x,y"}, True), ({"tags": "x,z"}, False), ({"tags-any": "x,z"}, True), ({"not-tags": "x,z"}, True),
        ({"not-tags": "x,y"}, False), ({"not-tags-any": "x,z"}, False),
    ):  # fmt: skip
        listed = cloud("GET", path, cloud.admin, params=query).json["projects"]
        assert (project in [one["id"] for one in listed]) == there, query
    shown = cloud("GET", f"{path}/{project}?parents_as_ids&subtree_as_list", cloud.admin).json["project"]
    assert (shown["parents"], shown["subtree"]) == ({"default": None}, [])


def test_an_application_credential_logs_in_for_its_user_with_less(cloud: Cloud) -> None:
    user, project = cloud.member()
    ada = cloud.token("ada", "pass", "demo")
    path = f"/identity/v3/users/{user}/application_credentials"

    def made(status: int, token: str | None = ada, **values: Any) -> Any:
        answer = cloud("POST", path, token, json={"application_credential": {"name": "robot"} | values})
        assert answer.status_code == status, answer.text
        return answer.json.get("application_credential")

    def log_in(scope: Any = None, **shown: Any) -> falcon.testing.Result:
        auth = {"identity": {"methods": ["application_credential"], "application_credential": shown}}
        auth |= {"scope": scope} if scope else {}
        return cloud("POST", "/identity/v3/auth/tokens", json={"auth": auth})

    robot = made(201, roles=[{"name": "reader"}])
    assert (robot["project_id"], [role["name"] for role in robot["roles"]]) == (project, ["reader"])
    made(409)
    made(400, name="more", roles=[{"name": "admin"}])
    made(400, name="late", expires_at="2020-01-01T00:00:00Z")
    made(400, name="rules", access_rules=[{"path": "/v2.1/servers", "method": "GET", "service": "compute"}])
    made(403, cloud.admin)  # nobody makes them for somebody else
    shown = cloud("GET", f"{path}/{robot['id']}", ada).json["application_credential"]
    assert shown == {key: value for key, value in robot.items() if key != "secret"}
    assert cloud("GET", path, ada, params={"name": "robot"}).json["application_credentials"] == [shown]

    answer = log_in(id=robot["id"], secret=robot["secret"])
    token = answer.headers["X-Subject-Token"]
    assert [role["name"] for role in answer.json["token"]["roles"]] == ["reader"]
    assert answer.json["token"]["project"]["id"] == project
    said = {"id": robot["id"], "name": "robot", "restricted": True}
    assert answer.json["token"]["application_credential"] == said
    named = log_in(name="robot", user={"name": "ada", "domain": {"id": "default"}}, secret=robot["secret"])
    assert named.status_code == 201
    assert cloud("GET", "/v2.1/servers", token).status_code == 200
    group = {"server_group": {"name": "g", "policies": ["affinity"]}}
    assert cloud("POST", "/v2.1/os-server-groups", token, json=group).status_code == 403
    made(403, token, name="another")
    assert cloud("DELETE", f"{path}/{robot['id']}", token).status_code == 403
    again = {"identity": {"methods": ["token"], "token": {"id": token}}}
    assert cloud("POST", "/identity/v3/auth/tokens", json={"auth": again}).status_code == 403

    assert log_in(id=robot["id"], secret="guess").status_code == 401
    assert log_in(id="f" * 32, secret=robot["secret"]).status_code == 401
    assert log_in(name="robot", secret=robot["secret"]).status_code == 400
    assert log_in({"project": {"id": project}}, id=robot["id"], secret=robot["secret"]).status_code == 401
    cloud.grant("DELETE", project, user, "member")
    assert cloud("GET", "/v2.1/servers", token).status_code == 401  # it has no more than its user
    cloud.grant("PUT", project, user, "member")
    assert cloud("GET", "/v2.1/servers", token).status_code == 200
    assert cloud("DELETE", f"{path}/{robot['id']}", ada).status_code == 204
    assert cloud("GET", "/v2.1/servers", token).status_code == 401
    assert cloud("GET", f"{path}/{robot['id']}", ada).status_code == 404


@pytest.mark.parametrize("name", ["image", "network", "volume"])
def test_each_service_beside_is_off_by_one_setting(tmp_path: Path, name: str) -> None:
    conf = nova_lite_conf.load([], [])
    conf.set_override("state_path", str(tmp_path))
    conf.set_override("service", "none", group=name)
    nova_lite_conf.paths(conf).make()
    compute = compute_api.connect(conf)
    apps = app.build(conf, compute)
    assert set(apps.mounted) == {"/identity", "/image", "/network", "/volume"} - {f"/{name}"}
    kinds = {"compute", "identity", "image", "network", "block-storage", "volumev3"}
    off = {"volume": {"block-storage", "volumev3"}}.get(name, {name})
    assert set(identity_app.services(conf)) == kinds - off
    conf.set_override("enabled", False, group="identity")
    assert set(app.build(conf, compute).mounted) == {"/image", "/network", "/volume"} - {f"/{name}"}
    compute.database.close()


def test_every_operation_is_closed_to_strangers_unless_its_rule_says_otherwise(cloud: Cloud) -> None:
    """Member of another project: what its rule does not open by default is 403 or, for others' things, closed too."""
    user, project = cloud.member()
    cloud.member("eve", "evil")
    eve = cloud.token("eve", "pass", "evil")
    engine = policy.PolicyEngine(None)
    identity = identity_app.connect(cloud.conf, cloud.compute.database)
    table = identity_app.build_table(identity, identity_app.views.Catalog("r", {}), engine.registered)
    values = {"user_id": user, "project_id": project, "role_id": IDS["member"], "domain_id": "default"}
    values |= dict.fromkeys(("application_credential_id", "region_id", "service_id", "endpoint_id"), "r")
    closed = opened = 0
    for operation in table:
        path = "/identity/v3" + operation.paths[3].format(**values)
        headers = {"X-Subject-Token": cloud.admin}
        anonymous = cloud(operation.method, path, headers=headers)
        assert anonymous.status_code in (400, 401), operation.name
        if operation.policy in OPEN:
            opened += 1
            continue
        answer = cloud(operation.method, path, eve, headers=headers, json={})
        assert answer.status_code == 403, operation.name
        closed += 1
    assert (opened, opened + closed) == (len(OPEN), len(list(table)))


OPEN = {
    "identity:authenticate",
    "identity:get_auth_catalog",
    "identity:get_auth_projects",
    "identity:get_auth_domains",
    "identity:list_roles",
    "identity:get_role",
    "identity:list_domains",
    "identity:get_domain",
    "identity:list_regions",
    "identity:get_region",
    "identity:change_password",
}


def test_what_there_is_one_of(cloud: Cloud) -> None:
    cloud.member()
    ada = cloud.token("ada", "pass", "demo")
    assert [domain["id"] for domain in cloud("GET", "/identity/v3/domains", ada).json["domains"]] == ["default"]
    assert cloud("GET", "/identity/v3/domains", ada, params={"name": "x"}).json["domains"] == []
    assert cloud("GET", "/identity/v3/domains/x", ada).status_code == 404
    assert [p["name"] for p in cloud("GET", "/identity/v3/auth/projects", ada).json["projects"]] == ["demo"]
    services = cloud("GET", "/identity/v3/services", cloud.admin).json["services"]
    endpoints = cloud("GET", "/identity/v3/endpoints", cloud.admin).json["endpoints"]
    assert {endpoint["service_id"] for endpoint in endpoints} == {service["id"] for service in services}
    regions = cloud("GET", "/identity/v3/regions", ada).json["regions"]
    for kind, listed in (("region", regions), ("service", services), ("endpoint", endpoints)):
        path = f"/identity/v3/{kind}s/"
        assert cloud("GET", path + listed[0]["id"], cloud.admin).json == {kind: listed[0]}
        assert cloud("HEAD", path + listed[0]["id"], cloud.admin).status_code == 200
        assert cloud("GET", path + "x", cloud.admin).status_code == 404
    one = {"interface": "public", "service_id": services[0]["id"]}
    (found,) = cloud("GET", "/identity/v3/endpoints", cloud.admin, params=one).json["endpoints"]
    assert one.items() <= found.items()
    assert cloud("GET", "/identity/v3/groups", cloud.admin).json["groups"] == []


def test_unknown_paths_methods_and_bodies_get_keystones_form_of_error(cloud: Cloud) -> None:
    for method, path, status in (("GET", "/identity/v3/nowhere", 404), ("PUT", "/identity/v3/users", 405)):
        answer = cloud(method, path, cloud.admin)
        assert (answer.status_code, answer.json["error"]["code"]) == (status, status)
    broken = cloud("POST", "/identity/v3/users", cloud.admin, body="{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
    assert cloud("GET", "/identity/v3/users", None).status_code == 401


def test_a_file_token_is_good_in_the_identity_service_too(cloud: Cloud) -> None:
    from nova_lite.api.auth.tokens import TokenFile

    token, _ = TokenFile(cloud.paths.tokens).create(user_id=IDS["user"], project_id=IDS["project"], roles=["admin"])
    assert cloud("GET", "/identity/v3/users", token).status_code == 200


def test_names_are_data(cloud: Cloud) -> None:
    """Whatever a name holds, it is looked up as it is and never read as anything else."""
    for name in ("' OR 1=1 --", "\u202e", "a" * 255, "%s", "%(x)s", "{0}", "\\"):
        identifier = cloud.make("user", name=name, password="pass")
        assert cloud.authenticate(name, "pass").json["token"]["user"]["id"] == identifier
    assert cloud("POST", "/identity/v3/users", cloud.admin, json={"user": {"name": "a" * 256}}).status_code == 400
    half = json.dumps({"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "\ud800"}}}}})
    answer = cloud("POST", "/identity/v3/auth/tokens", body=half, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
