"""Images: listing and showing them. They are added by ``nova-lite image add``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict
from urllib.parse import urlencode

from nova_lite import exceptions, objects, schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.pages import page_size
from nova_lite.api.times import rfc3339
from nova_lite.embedded.image import formats

FORMATS = schemas.of_module(formats, 2)
_DEFAULT_PAGE = 25  # Glance's limit_param_default

_KEYS: dict[str, Callable[[objects.Image], Any]] = {
    "id": lambda image: image.id,
    "name": lambda image: image.name,
    "status": lambda image: image.status.lower(),
    "visibility": lambda image: image.visibility,
    "owner": lambda image: image.project_id,
    "size": lambda image: image.size,
    "virtual_size": lambda image: image.virtual_size,
    "disk_format": lambda image: image.disk_format or "raw",
    "container_format": lambda image: "bare",
    "min_disk": lambda image: image.min_disk,
    "min_ram": lambda image: image.min_ram,
    "created_at": lambda image: rfc3339(image.created_at),
    "updated_at": lambda image: rfc3339(image.updated_at),
    "os_hash_algo": lambda image: image.os_hash_algo,
    "os_hash_value": lambda image: image.os_hash_value,
    "checksum": lambda image: None,
    "tags": lambda image: [],
    "protected": lambda image: False,
    "os_hidden": lambda image: False,
    "self": lambda image: f"/v2/images/{image.id}",
    "file": lambda image: f"/v2/images/{image.id}/file",
    "schema": lambda image: "/v2/schemas/image",
}
_OWN_FILTERS = ("name", "min_ram", "min_disk", "size_min", "size_max")
#: Filters that are compared with what an answer shows; the others are the image store's own.
_COMPARED = ("id", "owner", "disk_format", "container_format", "status")
_SORTED_BY = ("name", "status", "size", "id", "created_at", "updated_at", "disk_format", "container_format")


class ListParams(TypedDict, total=False):
    name: str
    status: str
    visibility: str
    owner: str
    disk_format: str
    container_format: str
    id: str
    min_ram: int
    min_disk: int
    size_min: int
    size_max: int
    limit: int
    marker: str
    sort: str
    sort_key: list[str]
    sort_dir: list[str]


class ImagesController(wsgi.Controller):
    resource = "formats"

    @wsgi.route("GET", "/images", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(FORMATS.list)
    def list(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List the images that the caller can make servers of: the newest first, unless it is said otherwise."""
        own: dict[str, Any] = {
            key: params[key] for key in ("name", "min_ram", "min_disk", "size_min", "size_max") if key in params
        }
        if params.get("visibility", "all") != "all":
            own["visibility"] = params["visibility"]
        found = self.compute.list_images(req.context, filters=own)
        for key in _COMPARED:
            if key in params:
                found = [image for image in found if _KEYS[key](image) == params[key]]  # type: ignore[literal-required]
        for key, descending in reversed(_order(params)):
            found.sort(key=lambda image, key=key: (str(_KEYS[key](image) or ""), image.id), reverse=descending)
        size = page_size({"limit": params.get("limit", _DEFAULT_PAGE)}, self.compute.conf.api.max_limit)
        begin = _after([image.id for image in found], params.get("marker"))
        page = found[begin : begin + size]
        first = {name: values for name, values in req.query.items() if name != "marker"}
        answer = {"images": [view(image) for image in page], "schema": "/v2/schemas/images", "first": _link(first)}
        if page and begin + size < len(found):
            answer["next"] = _link(first | {"marker": [page[-1].id]})
        return answer

    @wsgi.route("GET", "/schemas/image", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(FORMATS.show_schema)
    def show_schema(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """The JSON schema of an image."""
        return {"schema": _SCHEMA}

    @wsgi.route("GET", "/schemas/images", policy="get_images")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_schema)
    def list_schema(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """The JSON schema of a listing."""
        return {"schema": {"name": "images", "properties": {"images": {"type": "array", "items": _SCHEMA}}}}


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
        return {"image": view(obj)}


def view(image: objects.Image) -> dict[str, Any]:
    """The fixed keys, and the image's own properties beside them; a property never takes a fixed key's place."""
    return dict(image.properties) | {key: read(image) for key, read in _KEYS.items()}


def _order(params: ListParams) -> Any:
    """Pairs of a key and whether it descends. Invalid names what cannot be sorted by."""
    if "sort" in params:
        parts = [part.partition(":") for part in params["sort"].split(",")]
        pairs = [(key.strip(), (direction or "desc").strip()) for key, _, direction in parts]
    else:
        keys, directions = params.get("sort_key", ["created_at"]), params.get("sort_dir", ["desc"])
        if len(directions) not in (1, len(keys)):
            raise exceptions.Invalid("sort_dir: one direction for all keys, or one for each, is needed")
        pairs = list(zip(keys, directions * len(keys) if len(directions) == 1 else directions, strict=False))
    for key, direction in pairs:
        if key not in _SORTED_BY:
            raise exceptions.Invalid(f"sort_key: {key[:80]} is none of {', '.join(_SORTED_BY)}")
        if direction not in ("asc", "desc"):
            raise exceptions.Invalid(f"sort_dir: {direction[:80]} is neither asc nor desc")
    return [(key, direction == "desc") for key, direction in pairs]


def _after(ids: Any, marker: str | None) -> int:
    if marker is None:
        return 0
    if marker not in ids:
        raise exceptions.Invalid(f"marker: there is no image {marker[:80]} in this listing")
    return int(ids.index(marker)) + 1


def _link(query: dict[str, Any]) -> str:
    return "/v2/images" + (f"?{urlencode(query, doseq=True)}" if query else "")


_SCHEMA = {
    "name": "image",
    "properties": {
        key: {"type": ["null", "integer" if key in ("size", "virtual_size", "min_disk", "min_ram") else "string"]}
        for key in _KEYS
        if key not in ("tags", "protected", "os_hidden")
    }
    | {
        "tags": {"type": "array", "items": {"type": "string"}},
        "protected": {"type": "boolean"},
        "os_hidden": {"type": "boolean"},
    },
    "additionalProperties": {"type": "string"},
    "links": [{"rel": "self", "href": "{self}"}, {"rel": "enclosure", "href": "{file}"}],
}
