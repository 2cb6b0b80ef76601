"""The event stream of 3.x: server-sent events about servers and their operations."""

from __future__ import annotations

import re
from typing import TypedDict

from nova_lite import conf as conf_module
from nova_lite import exceptions, schemas
from nova_lite.api import validation, versions, wsgi
from nova_lite.events import handover

_NUMBER = re.compile(r"[0-9]{1,18}")


class EventsParams(TypedDict, total=False):
    types: list[str]
    server_id: str
    all_projects: bool
    last_event_id: int


class EventsController(wsgi.Controller):
    resource = "events"

    @wsgi.route("GET", "/events", policy="os_compute_api:os-events:index")
    @wsgi.version(base="3.0")
    @wsgi.response(200, version="3.0")
    @wsgi.expected_errors(400, 403)
    @validation.schema(schemas.events.index)
    def index(self, req: wsgi.Request, obj: None, params: EventsParams) -> handover.HandedOver:
        """Follow what happens.

        Answers with a stream of server-sent events (``text/event-stream``) that goes on while both sides want it to:
        ``server.created``, ``server.changed`` and ``server.deleted``, and ``operation`` for each state that an
        operation comes to. ``type`` (may be repeated) and ``server_id`` narrow it; ``all_projects`` is for
        administrators. A client that comes back names the last event that it saw in the header ``Last-Event-ID``, as
        browsers do by themselves, or in ``last_event_id``, and misses nothing; if so much happened meanwhile that
        events were dropped, the first event is of type ``lost``.
        """
        if params.get("all_projects"):
            req.authorize("os_compute_api:os-events:index:all_projects")
            project_id = None
        else:
            project_id = req.context.project_id
        last = req.http.get_header("Last-Event-ID")
        if last is not None and not _NUMBER.fullmatch(last):
            raise exceptions.Invalid("Last-Event-ID must be the id of an event: a number.")
        wish = handover.Wish(
            headers=answer_headers(req),
            project_id=project_id,
            server_id=params.get("server_id"),
            types=params.get("types", []),
            last=int(last) if last is not None else params.get("last_event_id"),
        )
        return handover.hand_over(conf_module.paths(self.compute.conf).events_socket, req.http.env, wish)


def answer_headers(req: wsgi.Request) -> dict[str, str]:
    """What every versioned answer has (see pipeline.py), for one that another process writes."""
    return {
        "X-OpenStack-Request-ID": req.context.request_id,
        "X-Compute-Request-ID": req.context.request_id,
        versions.HEADER: f"{versions.SERVICE_TYPE} {req.version}",
        versions.LEGACY_HEADER: str(req.version),
        "Vary": f"{versions.HEADER}, {versions.LEGACY_HEADER}",
    }
