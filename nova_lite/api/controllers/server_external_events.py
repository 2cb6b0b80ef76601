"""Events that other services of a cloud tell servers of."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import schemas
from nova_lite.api import validation, wsgi


class EventsParams(TypedDict, total=False):
    events: list[dict[str, Any]]


class ServerExternalEventsController(wsgi.Controller):
    resource = "server_external_events"

    @wsgi.route(
        "POST",
        "/os-server-external-events",
        v3="/server-external-events",
        policy="os_compute_api:os-server-external-events:create",
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200, or_else=207)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.server_external_events.create)
    def create(self, req: wsgi.Request, obj: None, params: EventsParams) -> dict[str, Any]:
        """Tell servers of events in other services.

        For other services of the cloud. Each event is answered with a ``code`` of its own, and 207 when one was not
        taken: 404 for a server that does not exist, 400 for an event that needs a ``tag``, 422 for a server without
        a host. ``power-update`` (2.76) starts or stops a server, ``network-vif-deleted`` takes a card from it; of the
        others nothing is left to be done here, and they are taken as they are.
        """
        told = []
        for event in params["events"]:
            code = self.compute.take_event(req.context, event["server_uuid"], event["name"], event.get("tag"))
            told.append(event | {"code": code, "status": "completed" if code == 200 else "failed"})
        if any(event["code"] != 200 for event in told):
            req.answer_with(207)
        return {"events": told}
