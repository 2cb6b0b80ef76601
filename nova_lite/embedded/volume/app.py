"""The WSGI application of the embedded Volume service, mounted at /volume."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import falcon
import microversion_parse
import orjson
from oslo_config import cfg

from nova_lite import objects
from nova_lite.api import auth, errors, policy
from nova_lite.api.app import falcon_app
from nova_lite.api.errors import HTTPFault
from nova_lite.api.operations import Table, collect
from nova_lite.api.service import Service
from nova_lite.api.versions import Version
from nova_lite.embedded.volume.actions_controller import SnapshotActionsController, VolumeActionsController
from nova_lite.embedded.volume.info_controller import (
    AttachmentsController,
    EmptyController,
    InfoController,
    TypesController,
)
from nova_lite.embedded.volume.metadata_controllers import SnapshotMetadataController, VolumeMetadataController
from nova_lite.embedded.volume.snapshots_controller import SnapshotController, SnapshotsController
from nova_lite.embedded.volume.volumes_controller import VolumeController, VolumesController

#: Cinder's microversions up to attachments; what they bring beside that is there in all of them.
OLDEST, NEWEST = (3, 0), (3, 27)
_UPDATED = "2026-11-21T00:00:00Z"
_HEADER = "OpenStack-API-Version"
_CONTROLLERS = (
    *(VolumesController, VolumeController, VolumeMetadataController, VolumeActionsController),
    *(SnapshotsController, SnapshotController, SnapshotMetadataController, SnapshotActionsController),
    *(TypesController, InfoController, AttachmentsController, EmptyController),
)


def _error_body(code: int, message: str, major: int, request_id: str) -> Mapping[str, object]:
    return {errors.FAULT_NAMES.get(code, "computeFault"): {"code": code, "message": message}}


SERVICE = Service(
    public=re.compile(r"/?|/v3/?|/(?!v3/).*"),
    prefixes={3: "/v3"},
    version=Version(3, 0),
    error_body=_error_body,
    projects_in_paths=True,
)


def build_table(compute: Any, known_rules: frozenset[str]) -> Table:
    return collect([kind(compute) for kind in _CONTROLLERS], known_rules)


def build(conf: cfg.ConfigOpts, engine: policy.PolicyEngine, strategy: auth.Strategy, compute: Any) -> falcon.App:
    app = falcon_app(
        build_table(compute, engine.registered),
        engine,
        strategy,
        {
            objects.Volume: lambda req, value: compute.get_volume(req.context, value),
            objects.VolumeSnapshot: lambda req, value: compute.get_volume_snapshot(req.context, value),
        },
        conf.api,
        read_in_turn=compute.database.is_sqlite,
        service=SERVICE,
    )
    app.add_middleware(_Microversions())
    documents = _Discovery()
    app.add_route("/", documents)
    for path in ("/v3", "/v3/"):
        app.add_route(path, documents, suffix="v3")
    return app


class _Microversions:
    """Which version of Cinder's the caller speaks: checked and echoed, with no other effect."""

    def process_request(self, http: falcon.Request, resp: falcon.Response) -> None:
        given = http.get_header(_HEADER)
        if not given or SERVICE.public.fullmatch(http.path):
            return
        try:
            text = microversion_parse.get_version({_HEADER.lower(): given}, "volume")
            version = _number(text) if text not in (None, "latest") else NEWEST if text else OLDEST
        except ValueError as error:
            raise HTTPFault(400, f"The value '{given[:80]}' of header {_HEADER} is not valid.") from error
        if not OLDEST <= version <= NEWEST:
            least, most = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
            raise HTTPFault(
                406, f"Version {text} is not supported by the API. Minimum is {least} and maximum is {most}."
            )
        http.context.volume_version = version

    def process_response(
        self, http: falcon.Request, resp: falcon.Response, resource: object, req_succeeded: bool
    ) -> None:
        major, minor = getattr(http.context, "volume_version", OLDEST)
        resp.set_header(_HEADER, f"volume {major}.{minor}")
        resp.append_header("Vary", _HEADER)


def _number(text: Any) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,3})\.([0-9]{1,4})", str(text))
    if found is None:
        raise ValueError(text)
    return int(found[1]), int(found[2])


class _Discovery:
    """The one version; needs no token."""

    def on_get(self, http: falcon.Request, resp: falcon.Response) -> None:
        """With 300, as Cinder answers."""
        resp.status = falcon.HTTP_300
        self.on_get_v3(http, resp)

    def on_get_v3(self, http: falcon.Request, resp: falcon.Response) -> None:
        oldest, newest = (".".join(map(str, one)) for one in (OLDEST, NEWEST))
        version = {
            "id": "v3.0",
            "status": "CURRENT",
            "version": newest,
            "min_version": oldest,
            "updated": _UPDATED,
            "links": [{"rel": "self", "href": f"{http.prefix}/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
        }
        resp.content_type = falcon.MEDIA_JSON
        resp.data = orjson.dumps({"versions": [version]})
