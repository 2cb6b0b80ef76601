"""From what went wrong to an HTTP answer: status codes, Nova's error names, both forms of error body.

Major 2 answers ``{"itemNotFound": {"code": 404, "message": "..."}}`` (nova/api/openstack/wsgi.py, Fault); major 3
answers the API-SIG form ``{"errors": [{"request_id", "code", "status", "title", "detail", "links"}]}``.
"""

from __future__ import annotations

from collections.abc import Mapping

from nova_lite import exceptions

FAULT_NAMES: Mapping[int, str] = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}

TITLES: Mapping[int, str] = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    409: "Conflict",
    410: "Gone",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
}

# The first class that matches decides, so subclasses stand before their base.
_CODES: tuple[tuple[type[exceptions.NovaLiteError], int], ...] = (
    (exceptions.Invalid, 400),
    (exceptions.Unauthorized, 401),
    (exceptions.Forbidden, 403),
    (exceptions.NotFound, 404),
    (exceptions.Conflict, 409),
    (exceptions.Gone, 410),
    (exceptions.TooLarge, 413),
    (exceptions.UnsupportedMedia, 415),
    (exceptions.RangeNotSatisfiable, 416),
    (exceptions.NotSupported, 501),
    (exceptions.Unavailable, 503),
)


class HTTPFault(Exception):
    """An answer with an error status that the infrastructure itself decided on.

    ``message`` is for the user; ``headers`` are added to the answer (``Allow`` of a 405, for instance); ``kind`` is
    the name of the business error that it comes from.
    """

    def __init__(self, code: int, message: str, headers: Mapping[str, str] | None = None, kind: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


def code_of(error: exceptions.NovaLiteError) -> int:
    """The status code for a business error; 500 for a kind that has none."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return 500


def body(code: int, message: str, major: int, request_id: str) -> dict[str, object]:
    """The error document of one major version.

    :param code: HTTP status.
    :param major: 2 for Nova's form, 3 for the API-SIG form.
    """
    if major >= 3:
        name = FAULT_NAMES.get(code, "computeFault")
        return {
            "errors": [
                {
                    "request_id": request_id,
                    "code": f"compute.{name}",
                    "status": code,
                    "title": TITLES.get(code, "Error"),
                    "detail": message,
                    "links": [],
                }
            ]
        }
    return {FAULT_NAMES.get(code, "computeFault"): {"code": code, "message": message}}
