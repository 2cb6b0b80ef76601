"""What else clients ask an image service: schemas, ways of importing, members and tasks."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects
from nova_lite.api import validation, wsgi
from nova_lite.embedded.image import views
from nova_lite.embedded.image.controller import FORMATS


class SchemaParams(TypedDict, total=False):
    schema_name: str


class InfoController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/schemas/{schema_name}", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_schema)
    def show_schema(self, req: wsgi.Request, obj: None, params: SchemaParams) -> dict[str, Any]:
        """The JSON schema of an image, a member, a task, or of a listing of them."""
        if params["schema_name"] not in views.SCHEMAS:
            raise exceptions.NotFound("The resource could not be found.")
        return {"document": views.SCHEMAS[params["schema_name"]]}

    @wsgi.route("GET", "/info/import", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(FORMATS.import_info)
    def import_info(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """The ways of importing images: none, they are uploaded."""
        methods = {"description": "Import methods available.", "type": "array", "value": []}
        return {"document": {"import-methods": methods}}

    @wsgi.route("GET", "/info/stores", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.stores_info)
    def stores_info(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> None:
        """Several stores: there is one, which has no name."""
        raise exceptions.NotFound("Multi backend is not supported at this site.")

    @wsgi.route("GET", "/tasks", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(FORMATS.tasks)
    def tasks(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """Tasks that import or export images: none."""
        return {"document": {"tasks": [], "first": "/v2/tasks", "schema": "/v2/schemas/tasks"}}


class ImageInfoController(wsgi.Controller):
    resource = "formats"
    resource_obj_cls = objects.Image

    @wsgi.route("GET", "/images/{image_id}/members", policy="get_members")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(403, 404)
    @validation.schema(FORMATS.members)
    def members(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> dict[str, Any]:
        """The projects that an image is shared with: none, images are public, of the community or private."""
        if obj.visibility != "shared":
            raise exceptions.Forbidden("Only shared images have members.")
        return {"document": {"members": [], "schema": "/v2/schemas/members"}}

    @wsgi.route("GET", "/images/{image_id}/tasks", policy="get_image")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.image_tasks)
    def image_tasks(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> dict[str, Any]:
        """Tasks that an image is part of: none."""
        return {"document": {"tasks": []}}

    @wsgi.route("POST", "/images/{image_id}/import", policy="modify_image")
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 404)
    @validation.schema(FORMATS.import_image)
    def import_image(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> None:
        """Import an image: no way of it is enabled."""
        method = req.body.get("method") if isinstance(req.body, dict) else None
        name = method.get("name") if isinstance(method, dict) else None
        raise exceptions.Invalid(f"Unknown import method name '{str(name)[:80]}'.")
