"""Image metadata: the properties of an image, read and written, until 2.38."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi


class ItemParams(TypedDict, total=False):
    key: str


class WriteParams(TypedDict, total=False):
    metadata: dict[str, str]


class WriteItemParams(TypedDict, total=False):
    key: str
    meta: dict[str, str]


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

        In 3.0 they are part of the image itself.
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

    @wsgi.route("POST", "/images/{image_id}/metadata", policy="os_compute_api:image-metadata:create")
    @wsgi.version(base="2.1", max="2.38")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.image_metadata.create)
    def create(self, req: wsgi.Request, obj: objects.Image, params: WriteParams) -> dict[str, Any]:
        """Add properties to an image, or change those that it has."""
        return self._write(req, obj, obj.properties | params["metadata"])

    @wsgi.route("PUT", "/images/{image_id}/metadata", policy="os_compute_api:image-metadata:update_all")
    @wsgi.version(base="2.1", max="2.38")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.image_metadata.update_all)
    def update_all(self, req: wsgi.Request, obj: objects.Image, params: WriteParams) -> dict[str, Any]:
        """Give an image other properties in place of those that it has."""
        return self._write(req, obj, params["metadata"])

    @wsgi.route("PUT", "/images/{image_id}/metadata/{key}", policy="os_compute_api:image-metadata:update")
    @wsgi.version(base="2.1", max="2.38")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(schemas.image_metadata.update)
    def update(self, req: wsgi.Request, obj: objects.Image, params: WriteItemParams) -> dict[str, Any]:
        """Add one property to an image, or change it."""
        key, meta = params["key"], params["meta"]
        if key not in meta:
            raise exceptions.Invalid("Request body and URI mismatch")
        self._write(req, obj, obj.properties | {key: meta[key]})
        return {"meta": meta}

    @wsgi.route("DELETE", "/images/{image_id}/metadata/{key}", policy="os_compute_api:image-metadata:delete")
    @wsgi.version(base="2.1", max="2.38")
    @wsgi.response(204)
    @wsgi.expected_errors(403, 404)
    @validation.schema(schemas.image_metadata.delete)
    def delete(self, req: wsgi.Request, obj: objects.Image, params: ItemParams) -> None:
        """Take one property from an image."""
        key = params["key"]
        if key not in obj.properties:
            raise exceptions.NotFound("Invalid metadata key")
        self._write(req, obj, {name: value for name, value in obj.properties.items() if name != key})

    def _write(self, req: wsgi.Request, image: objects.Image, properties: dict[str, str]) -> dict[str, Any]:
        check_count(req, self.compute, properties)
        return {"metadata": self.compute.update_image(req.context, image, properties=properties).properties}


def check_count(req: wsgi.Request, compute: Any, properties: Mapping[str, str]) -> None:
    """OverQuota when an image may not have so many properties for Nova; the Image service has no such limit."""
    allowed = compute.quota_limits(req.context, user_id=req.context.user_id)["metadata_items"]
    if 0 <= allowed < len(properties):
        raise exceptions.OverQuota("Image metadata limit exceeded")
