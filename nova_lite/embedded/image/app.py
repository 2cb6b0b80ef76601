"""The WSGI application of the embedded Image service, mounted at /image."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import falcon
import orjson
from oslo_config import cfg

from nova_lite import objects
from nova_lite.api import auth, errors, policy
from nova_lite.api.app import falcon_app
from nova_lite.api.operations import Table, collect
from nova_lite.api.service import Service
from nova_lite.api.versions import Version
from nova_lite.embedded.image.controller import ImageController, ImagesController
from nova_lite.embedded.image.data_controller import ImageDataController
from nova_lite.embedded.image.info_controller import ImageInfoController, InfoController

# Glance's history as far as it is about one store: hidden images and hashes came last.
_VERSIONS = tuple(f"v2.{minor}" for minor in (7, 6, 5, 4, 3, 2, 1, 0))


def _error_body(code: int, message: str, major: int, request_id: str) -> Mapping[str, object]:
    return {"code": code, "title": errors.TITLES.get(code, "Error"), "message": message}


SERVICE = Service(
    public=re.compile(r"/?|/versions/?|/v2/?|/(?!v2/).*"),
    prefixes={2: "/v2"},
    version=Version(2, 1),
    error_body=_error_body,
)


def build_table(compute: Any, known_rules: frozenset[str]) -> Table:
    kinds = (ImagesController, ImageController, ImageDataController, ImageInfoController, InfoController)
    return collect([kind(compute) for kind in kinds], known_rules)


def build(conf: cfg.ConfigOpts, engine: policy.PolicyEngine, strategy: auth.Strategy, compute: Any) -> falcon.App:
    app = falcon_app(
        build_table(compute, engine.registered),
        engine,
        strategy,
        {objects.Image: lambda req, value: compute.get_image(req.context, value)},
        conf.api,
        read_in_turn=compute.database.is_sqlite,
        service=SERVICE,
    )
    documents = _Discovery()
    for path in ("/", "/versions"):
        app.add_route(path, documents)
    app.add_route("/v1/{rest:path}", documents)
    return app


class _Discovery:
    """The list of versions, with 300 as Glance answers, but at its own path; needs no token."""

    def on_get(self, http: falcon.Request, resp: falcon.Response, rest: str = "") -> None:
        links = [{"rel": "self", "href": f"{http.prefix}/v2/"}]
        resp.status = falcon.HTTP_200 if http.path.rstrip("/") == "/versions" else falcon.HTTP_300
        resp.content_type = falcon.MEDIA_JSON
        listed = [
            {"id": name, "status": "SUPPORTED" if number else "CURRENT", "links": links}
            for number, name in enumerate(_VERSIONS)
        ]
        resp.data = orjson.dumps({"versions": listed})
