"""Keypairs: public keys of a user, put into servers when they are built."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import pages, times, validation, wsgi

_LIST = {2: "/os-keypairs", 3: "/keypairs"}
_ITEM = {2: "/os-keypairs/{keypair_name}", 3: "/keypairs/{keypair_name}"}


class ListParams(TypedDict, total=False):
    user_id: list[str]
    limit: int
    marker: str


class CreateParams(TypedDict, total=False):
    name: str
    type: str
    public_key: str
    user_id: str


class ItemParams(TypedDict, total=False):
    keypair_name: str
    user_id: list[str]


def _owner_asked_for(req: wsgi.Request) -> str:
    """Whose keypairs a request is about: from 2.10 on the first ``user_id`` of the query, else the caller's own."""
    asked = req.query.get("user_id", [""])[0] if req.version >= (2, 10) else ""
    return asked or str(req.context.user_id)


def _owner_in_body(req: wsgi.Request) -> str:
    """Whose keypair a request wants to create; runs before validation, so the body may be anything."""
    keypair = req.body.get("keypair") if isinstance(req.body, dict) and req.version >= (2, 10) else None
    asked = keypair.get("user_id") if isinstance(keypair, dict) else None
    return asked if asked and isinstance(asked, str) else str(req.context.user_id)


def _query_target(req: wsgi.Request) -> dict[str, Any]:
    return {"user_id": _owner_asked_for(req)}


def _body_target(req: wsgi.Request) -> dict[str, Any]:
    return {"user_id": _owner_in_body(req)}


class KeypairsController(wsgi.Controller):
    resource = "keypairs"

    @wsgi.route("GET", _LIST[2], v3=_LIST[3], policy="os_compute_api:os-keypairs:index")
    @wsgi.version(base="2.1")
    @wsgi.target(_query_target)
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.keypairs.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List keypairs.

        Those of the caller or, from 2.10 on and for administrators, of the user named by ``user_id``. From 2.35 on
        they are sorted by name, and ``limit`` and ``marker`` (a keypair's name) make pages.
        """
        owner = _owner_asked_for(req)
        max_limit = self.compute.conf.api.max_limit
        paged = req.version >= (2, 35)
        keypairs = self.compute.list_keypairs(
            req.context,
            owner,
            limit=pages.page_size(params, max_limit) if paged else None,
            marker=params.get("marker"),
        )
        markers = [keypair.name for keypair in keypairs]
        path = _LIST[req.version.major]
        next_links = pages.next_links(req, "keypairs", path, markers, params, max_limit)
        return {"keypairs": [_view(keypair) for keypair in keypairs]} | next_links

    @wsgi.route("POST", _LIST[2], v3=_LIST[3], policy="os_compute_api:os-keypairs:create")
    @wsgi.version(base="2.1")
    @wsgi.target(_body_target)
    @wsgi.response(200, version="2.1")
    @wsgi.response(201, version="2.2")
    @wsgi.expected_errors(400, 403, 409)
    @validation.schema(schemas.keypairs.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Create or import a keypair.

        With ``public_key`` it is imported. Without, until 2.91, a pair is generated, and ``private_key`` is in this
        answer and nowhere else. From 2.2 on ``type`` may be ssh (the default) or x509; from 2.10 on administrators
        name another user with ``user_id``. 409 when the user has a keypair of that name, 403 when the quota is used up.
        """
        keypair = self.compute.create_keypair(
            req.context,
            _owner_in_body(req),
            params["name"],
            params.get("type", "ssh"),
            public_key=params.get("public_key"),
        )
        return _view(keypair)

    @wsgi.route("GET", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-keypairs:show")
    @wsgi.version(base="2.1")
    @wsgi.target(_query_target)
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.keypairs.show)
    def show(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """Show a keypair.

        Of the caller or, from 2.10 on and for administrators, of the user named by ``user_id``.
        """
        return _view(self.compute.get_keypair(req.context, _owner_asked_for(req), params["keypair_name"]))

    @wsgi.route("DELETE", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-keypairs:delete")
    @wsgi.version(base="2.1")
    @wsgi.target(_query_target)
    @wsgi.response(202, version="2.1")
    @wsgi.response(204, version="2.2")
    @wsgi.expected_errors(404)
    @validation.schema(schemas.keypairs.delete)
    def delete(self, req: wsgi.Request, obj: None, params: ItemParams) -> None:
        """Delete a keypair.

        Servers that were built with it keep the key. From 2.10 on administrators name another user with ``user_id``.
        """
        self.compute.delete_keypair(req.context, _owner_asked_for(req), params["keypair_name"])


def _view(keypair: objects.Keypair) -> dict[str, Any]:
    view = {
        "id": keypair.id,
        "name": keypair.name,
        "type": keypair.type,
        "user_id": keypair.user_id,
        "public_key": keypair.public_key,
        "fingerprint": keypair.fingerprint,
        "created_at": times.rfc3339(keypair.created_at),
        "created_at_naive": times.naive(keypair.created_at),
        "updated_at_naive": times.naive(keypair.updated_at),
        "deleted": False,  # deleted keypairs are gone; major 2 shows the two keys all the same
        "deleted_at": None,
    }
    if keypair.private_key is not None:
        view["private_key"] = keypair.private_key
    return view
