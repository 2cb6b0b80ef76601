"""Image metadata: the properties of an image, until 2.38."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi


class ItemParams(TypedDict, total=False):
    key: str


class ImageMetadataController(wsgi.Controller):
    resource = "image_metadata"
    resource_obj_cls = objects.Image

    @wsgi.route("GET", "/images/{image_id}/metadata", policy="os_compute_api:image-metadata:index")
    @wsgi.version(base="2.1", max="2.38")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.image_metadata.index)
    def index(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> dict[str, Any]:
        """List the properties of an image.

        They cannot be changed through this API. In 3.0 they are part of the image itself.
        """
        return {"metadata": obj.properties}

    @wsgi.route("GET", "/images/{image_id}/metadata/{key}", policy="os_compute_api:image-metadata:show")
    @wsgi.version(base="2.1", max="2.38")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.image_metadata.show)
    def show(self, req: wsgi.Request, obj: objects.Image, params: ItemParams) -> dict[str, Any]:
        """Show one property of an image."""
        key = params["key"]
        if key not in obj.properties:
            raise exceptions.NotFound(f"Image {obj.id} has no property {key}.")
        return {"meta": {key: obj.properties[key]}}
