"""Shelving: what a server has on its host goes, an image of its root disk stays, and it can come back."""

from __future__ import annotations

from typing import TypedDict

from nova_lite import objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.controllers.operations import announce
from nova_lite.compute import states

_POLICY = "os_compute_api:os-shelve"


class UnshelveParams(TypedDict, total=False):
    availability_zone: str | None
    host: str


class ShelveController(wsgi.Controller):
    resource = "shelve"
    resource_obj_cls = objects.Instance

    @wsgi.action("shelve", policy=f"{_POLICY}:shelve")
    @wsgi.verb(states.SHELVE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.shelve.shelve)
    def shelve(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Shelve a server.

        It is switched off and an image ``<name>-shelved`` is made of its root disk. Then it is SHELVED, or, at once or
        after the option ``shelved_offload_time``, SHELVED_OFFLOADED: nothing of it is left on the host but its volumes
        and its addresses. What its ephemeral and swap disks held is lost with that. One that boots from a volume is
        offloaded at once, without an image.
        """
        self.compute.shelve(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("shelveOffload", v3="shelve_offload", policy=f"{_POLICY}:shelve_offload")
    @wsgi.verb(states.SHELVE_OFFLOAD)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.shelve.shelve_offload)
    def shelve_offload(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Take a SHELVED server from its host."""
        self.compute.shelve_offload(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("unshelve", policy=f"{_POLICY}:unshelve")
    @wsgi.verb(states.UNSHELVE)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404, 409)
    @validation.schema(schemas.shelve.unshelve)
    def unshelve(self, req: wsgi.Request, obj: objects.Instance, params: UnshelveParams) -> None:
        """Let a shelved server run again.

        Its root disk begins as the image of it, which is removed. From 2.77 on ``availability_zone`` and from 2.91 on
        ``host`` say where a SHELVED_OFFLOADED one is to come up; the images are on one host, so that any other host is
        accepted and the operation fails. ``availability_zone`` null takes the server's zone as no longer wished for.
        """
        if params.get("host"):
            req.authorize(f"{_POLICY}:unshelve_to_host", obj.policy_target())
        self.compute.unshelve(req.context, obj, **params)
        announce(req, self.compute, obj)
