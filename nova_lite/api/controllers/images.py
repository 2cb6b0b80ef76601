"""Images: what a server boots."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import pages, times, validation, wsgi

# Nova's words for the states of an image, and how far along each one is.
_STATUS = {
    "active": ("ACTIVE", 100),
    "queued": ("SAVING", 25),
    "saving": ("SAVING", 50),
    "deleted": ("DELETED", 0),
    "pending_delete": ("DELETED", 0),
    "killed": ("ERROR", 0),
}


class ListParams(TypedDict, total=False):
    name: str
    status: str
    changes_since: str
    server: str
    type: str
    min_ram: int
    min_disk: int
    limit: int
    marker: str


class ImagesController(wsgi.Controller):
    resource = "images"
    resource_obj_cls = objects.Image

    @wsgi.route("GET", "/images", policy="os_compute_api:images:index")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.images.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List images.

        Public ones and those of the caller's project. The query narrows the list: by name, by status, by the memory
        and disk that an image needs at least, by the time since which it changed; in major 2 also by property, with
        ``property-<name>``. In major 2 the whole resource ends at 2.35, as Nova's proxy to the image service does.
        """
        return self._list(req, params, "/images")

    @wsgi.route("GET", "/images/detail", policy="os_compute_api:images:detail")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.images.detail)
    def detail(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List images with details.

        Filters and pages are those of the plain list.
        """
        return self._list(req, params, "/images/detail")

    @wsgi.route("GET", "/images/{image_id}", policy="os_compute_api:images:show")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.images.show)
    def show(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> dict[str, Any]:
        """Show an image.

        Sizes are in bytes, ``min_ram`` in MiB, ``min_disk`` in GiB. 3.0 also says what kind of kernel it is.
        """
        return _view(req, obj)

    @wsgi.route("DELETE", "/images/{image_id}", policy="os_compute_api:images:delete")
    @wsgi.version(base="2.1", max="2.35")
    @wsgi.version(base="3.0")
    @wsgi.response(204)
    @wsgi.expected_errors(403, 404)
    @validation.schema(schemas.images.delete)
    def delete(self, req: wsgi.Request, obj: objects.Image, params: wsgi.NoParams) -> None:
        """Delete an image.

        Servers that were made of it go on and can be started again. A protected one is refused (403).
        """
        self.compute.delete_image(req.context, obj)

    def _list(self, req: wsgi.Request, params: ListParams, path: str) -> dict[str, Any]:
        property_filters = _property_filters(req)
        max_limit = self.compute.conf.api.max_limit
        filters: dict[str, Any] = {
            name: params[name]  # type: ignore[literal-required]
            for name in ("name", "min_ram", "min_disk")
            if name in params
        }
        if "status" in params:
            filters["status"] = params["status"].lower()
        if "changes_since" in params:
            filters["changes_since"] = _parse_time("changes-since", params["changes_since"])
        if "server" in params:  # a uuid, or a link to the server
            property_filters = property_filters | {"instance_uuid": params["server"].rsplit("/", 1)[-1]}
        if "type" in params:
            property_filters = property_filters | {"image_type": params["type"]}
        if property_filters:
            filters["properties"] = property_filters
        images = self.compute.list_images(
            req.context,
            filters=filters,
            limit=pages.page_size(params, max_limit),
            marker=params.get("marker"),
        )
        next_links = pages.next_links(req, "images", path, [image.id for image in images], params, max_limit)
        return {"images": [_view(req, image) for image in images]} | next_links


def _property_filters(req: wsgi.Request) -> dict[str, str]:
    """``property-<name>=<value>`` of major 2: any name, which is why the schema cannot list them."""
    prefix = "property-"
    return {name[len(prefix) :]: values[-1] for name, values in req.query.items() if name.startswith(prefix)}


def _parse_time(name: str, text: str) -> datetime:
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise exceptions.Invalid(f"Invalid {name} filter [{text}]: it must be an ISO 8601 time.") from error
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _links(req: wsgi.Request, path: str) -> list[dict[str, str]]:
    return [{"rel": "self", "href": req.url(path)}, {"rel": "bookmark", "href": req.bookmark(path)}]


def _view(req: wsgi.Request, image: objects.Image) -> dict[str, Any]:
    path = f"/images/{image.id}"
    status, progress = _STATUS.get(image.status, ("UNKNOWN", 0))
    # Where an image service would have it; here it is this same resource.
    alternate = {"rel": "alternate", "type": "application/vnd.openstack.image", "href": req.bookmark(path)}
    links = _links(req, path)
    view: dict[str, Any] = {
        "id": image.id,
        "name": image.name,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "size": image.size,
        "visibility": image.visibility,
        "kernel_format": image.kernel_format,
        "properties": image.properties,
        "created_at": times.rfc3339(image.created_at),
        "updated_at": times.rfc3339(image.updated_at),
        "status": status,
        "store_status": image.status,
        "progress": progress,
        "links": links,
        "links_with_alternate": [*links, alternate],
    }
    server_id = image.properties.get("instance_uuid")
    if server_id is not None:
        server_path = f"/servers/{server_id}"
        view["server_id"] = server_id
        view["server_links"] = _links(req, server_path)
    automatic = image.properties.get("auto_disk_config")
    if automatic is not None:
        view["disk_config"] = "AUTO" if automatic.lower() in ("1", "t", "true", "on", "y", "yes") else "MANUAL"
    return view
