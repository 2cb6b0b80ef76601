"""The data of images: uploaded and downloaded, as it streams."""

from __future__ import annotations

import re

from nova_lite import exceptions, objects
from nova_lite.api import validation, wsgi
from nova_lite.embedded.image.controller import FORMATS

OCTETS = "application/octet-stream"
_RANGE = re.compile(r"bytes=([0-9]{0,19})-([0-9]{0,19})")


class ImageDataController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = objects.Image

    @wsgi.route("PUT", "/images/{image_id}/file", policy="upload_image")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(400, 403, 404, 409, 410, 413, 415)
    @validation.schema(FORMATS.upload)
    def upload(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> None:
        """Upload the data of an image, which is active then."""
        length = req.http.content_length
        if length is None and (said := req.http.get_header("X-OpenStack-Image-Size")):
            if not (said.isascii() and said.isdigit()):
                raise exceptions.Invalid("X-OpenStack-Image-Size: it must be a number of bytes.")
            length = int(said[:20])
        self.compute.upload_image(req.context, obj, req.upload(OCTETS), length)

    @wsgi.route("GET", "/images/{image_id}/file", policy="download_image")
    @wsgi.version(base="2.1")
    @wsgi.response(200, or_else=(204, 206))
    @wsgi.expected_errors(400, 403, 404, 416)
    @validation.schema(FORMATS.download)
    def download(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> None:
        """Download the data of an image; 204 when it has none, 206 for a part of it."""
        wanted = _range(req.http.get_header("Range"))
        found = self.compute.download_image(req.context, obj, wanted)
        if found is None:
            req.answer_with(204)
            return
        if obj.data and obj.checksum:
            req.set_header("Content-MD5", obj.checksum)
        if wanted is not None:
            req.answer_with(206)
            req.set_header("Content-Range", f"bytes {found.start}-{found.end - 1}/{found.size}")
        req.send(found, found.end - found.start)


def _range(text: str | None) -> tuple[int | None, int | None] | None:
    """First and last byte of a Range header; None where there is none.

    :raises RangeNotSatisfiable: it is none that can be read.
    :raises Invalid: it is several.
    """
    if text is None:
        return None
    if "," in text:
        raise exceptions.Invalid("Requests with multiple ranges are not supported: make one for each range.")
    found = _RANGE.fullmatch(text.replace(" ", ""))
    first, last = (int(part) if part else None for part in found.groups()) if found else (None, None)
    if first is None and last is None or first is not None and last is not None and first > last:
        raise exceptions.RangeNotSatisfiable(f"Invalid Range header: {text[:80]}")
    return first, last
