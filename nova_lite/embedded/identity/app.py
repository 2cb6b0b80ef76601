"""The WSGI application of the embedded Identity service, mounted at /identity."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import falcon
import orjson
from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite import embedded
from nova_lite.api import auth, errors, policy
from nova_lite.api.app import falcon_app
from nova_lite.api.operations import Table, collect
from nova_lite.api.pipeline import Loader
from nova_lite.api.service import Service
from nova_lite.api.versions import Version
from nova_lite.db.engine import Database
from nova_lite.embedded.identity import views
from nova_lite.embedded.identity.auth_controller import AuthController
from nova_lite.embedded.identity.catalog_controller import CatalogController
from nova_lite.embedded.identity.credentials_controller import ApplicationCredentialController
from nova_lite.embedded.identity.fernet_keys import FernetKeys
from nova_lite.embedded.identity.projects_controller import ProjectController, ProjectsController
from nova_lite.embedded.identity.records import Project, Role, User
from nova_lite.embedded.identity.roles_controller import RoleController, RolesController
from nova_lite.embedded.identity.tokens import Tokens
from nova_lite.embedded.identity.users_controller import UserController, UsersController
from nova_lite.embedded.identity.verbs import Identity

_UPDATED = "2026-11-21T00:00:00Z"
#: Types in the catalog of what each companion answers.
_TYPES = {"volume": ("block-storage", "volumev3")}


def _error_body(code: int, message: str, major: int, request_id: str) -> Mapping[str, object]:
    """Keystone's form."""
    return {"error": {"code": code, "message": message, "title": errors.TITLES.get(code, "Error")}}


SERVICE = Service(
    public=re.compile(r"/?|/v3/?|/(?!v3/).*"),
    prefixes={3: "/v3"},
    version=Version(3, 0),
    anonymous=re.compile(r"POST /v3/(auth/tokens|users/[^/]+/password)"),  # both ask for a password, or for a token
    heads=True,
    error_body=_error_body,
    relaxed=True,  # Keystone takes any key, and its clients send theirs
)


def services(conf: cfg.ConfigOpts) -> dict[str, tuple[str, str]]:
    """Type → name and path of what this cloud has."""
    found = {"compute": ("nova-lite", "/v2.1")}
    for name in embedded.wanted(conf):
        for kind in _TYPES.get(name, (name,)):
            found[kind] = (f"nova-lite-{'volumev3' if kind == 'volumev3' else name}", embedded.PATHS[name])
    return found


def connect(conf: cfg.ConfigOpts, database: Database) -> Identity:
    """The service's business code on this database."""
    keys = FernetKeys(nova_lite_conf.paths(conf).fernet_keys)
    return Identity(database, Tokens(database, keys, conf.identity.token_expiration))


def build_table(identity: Identity, catalog: views.Catalog, known_rules: frozenset[str]) -> Table:
    kinds = (
        *(UsersController, UserController, ApplicationCredentialController, ProjectsController, ProjectController),
        *(RolesController, RoleController),
    )
    controllers = [AuthController(identity, catalog), CatalogController(catalog), *(kind(identity) for kind in kinds)]
    return collect(controllers, known_rules)


def build(conf: cfg.ConfigOpts, engine: policy.PolicyEngine, strategy: auth.Strategy, identity: Identity) -> falcon.App:
    """:param strategy: the Compute API's: its tokens are good here too."""
    catalog = views.Catalog(conf.identity.region, services(conf))
    loaders: dict[type, Loader] = {
        kind: lambda req, value, kind=kind: identity.get(kind, value)  # type: ignore[misc]
        for kind in (User, Project, Role)
    }
    app = falcon_app(
        build_table(identity, catalog, engine.registered),
        engine,
        strategy,
        loaders,
        conf.api,
        read_in_turn=identity.database.is_sqlite,
        service=SERVICE,
    )
    documents = _Discovery()
    app.add_route("/", documents)
    for path in ("/v3", "/v3/"):
        app.add_route(path, documents, suffix="v3")
    return app


class _Discovery:
    """What keystoneauth reads to find the version; needs no token."""

    def on_get(self, http: falcon.Request, resp: falcon.Response) -> None:
        """The list, with 300 as Keystone answers."""
        resp.status = falcon.HTTP_300
        _json(resp, {"versions": {"values": [_version(http)]}})

    def on_get_v3(self, http: falcon.Request, resp: falcon.Response) -> None:
        _json(resp, {"version": _version(http)})


def _version(http: falcon.Request) -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": _UPDATED,
        "links": [{"rel": "self", "href": f"{http.prefix}/v3/"}],
        "media-types": [
            {"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"},
        ],
    }


def _json(resp: falcon.Response, document: dict[str, Any]) -> None:
    resp.content_type = falcon.MEDIA_JSON
    resp.data = orjson.dumps(document)
