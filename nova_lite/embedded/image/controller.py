"""Images: listed, shown, registered, changed and deleted."""

from __future__ import annotations

from typing import Any, TypedDict
from urllib.parse import urlencode

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.pages import page_size
from nova_lite.embedded.image import formats, listing, patches, views

FORMATS = schemas.of_module(formats, 2)


class ListParams(TypedDict, total=False):
    name: str
    status: str
    visibility: str
    owner: str
    disk_format: str
    container_format: str
    id: str
    checksum: str
    os_hash_value: str
    created_at: str
    updated_at: str
    tag: list[str]
    protected: bool
    os_hidden: bool
    min_ram: int
    min_disk: int
    size_min: int
    size_max: int
    limit: int
    marker: str
    sort: str
    sort_key: list[str]
    sort_dir: list[str]


class CreateParams(TypedDict, total=False):
    document: dict[str, Any]


class TagParams(TypedDict, total=False):
    tag: str


class ImagesController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/images", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list)
    def list(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the images that the caller can make servers of: the newest first, unless it is said otherwise."""
        if "changes-since" in req.query:
            raise exceptions.Invalid('The "changes-since" filter is no longer available on v2.')
        own = {"os_hidden": params.get("os_hidden", False), "visibility": params.get("visibility")}
        found = self.compute.list_images(req.context, filters=own)
        found = listing.ordered(listing.narrowed(found, params, req.query), params)
        size = page_size({"limit": params.get("limit", listing.DEFAULT_PAGE)}, self.compute.conf.api.max_limit)
        behind = listing.after(found, params.get("marker"))
        page = behind[:size]
        first = {name: values for name, values in req.query.items() if name != "marker"}
        answer = {
            "images": [views.image(image) for image in page],
            "schema": "/v2/schemas/images",
            "first": _link(first),
        }
        if page and size < len(behind):
            answer["next"] = _link(first | {"marker": [page[-1].id]})
        return answer

    @wsgi.route("POST", "/images", policy="add_image")
    @wsgi.version(base="2.1")
    @wsgi.response(201)
    @wsgi.expected_errors(400, 403, 409, 413)
    @validation.schema(FORMATS.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Register an image; its data is uploaded afterwards."""
        if req.body is None:
            raise exceptions.Invalid("Body expected in request.")
        document = params["document"]
        values = patches.said(document)
        _check_visibility(req, values.get("visibility"))
        image = self.compute.register_image(req.context, document.get("id"), **values)
        req.set_header("Location", f"{req.http.prefix}/v2/images/{image.id}")
        return {"document": views.image(image)}


class ImageController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = objects.Image

    @wsgi.route("GET", "/images/{image_id}", policy="get_image")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show)
    def show(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> dict[str, Any]:
        """Show an image."""
        return {"document": views.image(obj)}

    @wsgi.route("PATCH", "/images/{image_id}", policy="modify_image")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403, 404, 409, 413)
    @validation.schema(FORMATS.update)
    def update(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> dict[str, Any]:
        """Change what is said of an image, by a JSON patch."""
        document = req.document((patches.DRAFT_10, patches.DRAFT_4))
        media_type = str(req.http.content_type).partition(";")[0].strip().lower()
        values = patches.applied(obj, document, media_type)
        if values.get("visibility") != obj.visibility:
            _check_visibility(req, values.get("visibility"))
        return {"document": views.image(self.compute.update_image(req.context, obj, **values))}

    @wsgi.route("DELETE", "/images/{image_id}", policy="delete_image")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(403, 404)
    @validation.schema(FORMATS.delete)
    def delete(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> None:
        """Delete an image; servers that were made of it go on."""
        self.compute.delete_image(req.context, obj)

    @wsgi.route("PUT", "/images/{image_id}/tags/{tag}", policy="modify_image")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(400, 403, 404, 413)
    @validation.schema(FORMATS.add_tag)
    def add_tag(self, req: wsgi.Request, obj: objects.Image, params: TagParams) -> None:
        """Give an image a tag."""
        tag = params["tag"]
        if len(tag) > 255:
            raise exceptions.Invalid("Provided tag is too long: it has at most 255 characters.")
        self.compute.update_image(req.context, obj, tags=sorted({*obj.tags, tag}))

    @wsgi.route("DELETE", "/images/{image_id}/tags/{tag}", policy="modify_image")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(403, 404)
    @validation.schema(FORMATS.remove_tag)
    def remove_tag(self, req: wsgi.Request, obj: objects.Image, params: TagParams) -> None:
        """Take a tag from an image."""
        if params["tag"] not in obj.tags:
            raise exceptions.NotFound(f"Image {obj.id} has no tag {params['tag'][:255]}.")
        self.compute.update_image(req.context, obj, tags=[tag for tag in obj.tags if tag != params["tag"]])

    @wsgi.route("POST", "/images/{image_id}/actions/deactivate", policy="deactivate")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(403, 404)
    @validation.schema(FORMATS.deactivate)
    def deactivate(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> None:
        """Let nobody download an image or make servers of it."""
        self.compute.set_image_active(req.context, obj, False)

    @wsgi.route("POST", "/images/{image_id}/actions/reactivate", policy="reactivate")
    @wsgi.version(base="2.1")
    @wsgi.response(204)
    @wsgi.expected_errors(403, 404)
    @validation.schema(FORMATS.reactivate)
    def reactivate(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> None:
        """Let an image be used again."""
        self.compute.set_image_active(req.context, obj, True)


def _check_visibility(req: wsgi.Request, visibility: str | None) -> None:
    """Showing an image to everybody has rules of its own."""
    rule = {"public": "publicize_image", "community": "communitize_image"}.get(visibility or "")
    if rule is not None:
        req.authorize(rule)


def _link(query: dict[str, Any]) -> str:
    return "/v2/images" + (f"?{urlencode(query, doseq=True)}" if query else "")
