"""Images as Image v2 shows them, and the JSON schemas that say so to clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nova_lite import objects
from nova_lite.api.times import rfc3339
from nova_lite.compute.image_data import CONTAINER_FORMATS, DISK_FORMATS
from nova_lite.db import images as db_images


def _given(read: Callable[[objects.Image], Any]) -> Callable[[objects.Image], Any]:
    """Null while there is no data."""
    return lambda image: None if image.status in (db_images.QUEUED, db_images.SAVING, db_images.KILLED) else read(image)


def _is_raw(image: objects.Image) -> bool:
    """Whether what can be downloaded is the raw disk, not the file that was given."""
    return image.data is None and image.disk is not None


KEYS: dict[str, Callable[[objects.Image], Any]] = {
    "id": lambda image: image.id,
    "name": lambda image: image.name or None,
    "status": lambda image: image.status,
    "visibility": lambda image: image.visibility,
    "owner": lambda image: image.project_id,
    "size": _given(lambda image: image.virtual_size if _is_raw(image) else image.size),
    "virtual_size": _given(lambda image: image.virtual_size),
    "disk_format": lambda image: "raw" if _is_raw(image) else image.disk_format or _of_kernel(image),
    "container_format": lambda image: image.container_format or ("bare" if image.status == "active" else None),
    "min_disk": lambda image: image.min_disk,
    "min_ram": lambda image: image.min_ram,
    "created_at": lambda image: rfc3339(image.created_at),
    "updated_at": lambda image: rfc3339(image.updated_at),
    "os_hash_algo": _given(lambda image: None if _is_raw(image) else image.os_hash_algo),
    "os_hash_value": _given(lambda image: None if _is_raw(image) else image.os_hash_value),
    "checksum": _given(lambda image: image.checksum),
    "tags": lambda image: sorted(image.tags),
    "protected": lambda image: image.protected,
    "os_hidden": lambda image: image.os_hidden,
    "self": lambda image: f"/v2/images/{image.id}",
    "file": lambda image: f"/v2/images/{image.id}/file",
    "schema": lambda image: "/v2/schemas/image",
}


def _of_kernel(image: objects.Image) -> str | None:
    return "raw" if image.kernel else None


def image(shown: objects.Image) -> dict[str, Any]:
    """The fixed keys, and the image's own properties beside them; a property never takes a fixed key's place."""
    return dict(shown.properties) | {key: read(shown) for key, read in KEYS.items()}


_text = {"type": ["null", "string"], "maxLength": 255}
_number = {"type": "integer", "minimum": 0, "maximum": 0x7FFFFFFF}
#: What may be given of each attribute.
WRITABLE: dict[str, dict[str, Any]] = {
    "id": {
        "type": "string",
        "pattern": "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$",
    },
    "name": _text,
    "visibility": {"type": "string", "enum": ["community", "public", "private", "shared"]},
    "protected": {"type": "boolean"},
    "os_hidden": {"type": "boolean"},
    "owner": _text,
    "container_format": {"type": ["null", "string"], "enum": [None, *CONTAINER_FORMATS]},
    "disk_format": {"type": ["null", "string"], "enum": [None, *DISK_FORMATS]},
    "tags": {"type": "array", "items": {"type": "string", "maxLength": 255}},
    "min_ram": _number,
    "min_disk": _number,
}
#: What only the service writes.
READ_ONLY = (
    *("created_at", "updated_at", "status", "checksum", "size", "virtual_size", "direct_url", "self", "file"),
    *("schema", "os_hash_algo", "os_hash_value", "stores"),
)
RESERVED = ("location", "locations", "deleted", "deleted_at")


def _schema() -> dict[str, Any]:
    read_only: dict[str, dict[str, Any]] = {
        key: {"type": ["null", "integer" if key in ("size", "virtual_size") else "string"], "readOnly": True}
        for key in READ_ONLY
        if key not in ("direct_url", "stores")
    }
    return {
        "name": "image",
        "properties": WRITABLE | read_only,
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def _listing(name: str, item: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "properties": {
            name: {"type": "array", "items": item},
            **{key: {"type": "string"} for key in ("first", "next", "schema")},
        },
        "links": [{"rel": rel, "href": f"{{{rel}}}"} for rel in ("first", "next")],
    }


_member = {
    "name": "member",
    "properties": {
        "member_id": {"type": "string"},
        "image_id": {"type": "string"},
        "created_at": {"type": "string"},
        "updated_at": {"type": "string"},
        "status": {"type": "string", "enum": ["pending", "accepted", "rejected"]},
        "schema": {"readOnly": True, "type": "string"},
    },
}
_task = {
    "name": "task",
    "properties": {key: {"type": ["null", "string"]} for key in ("id", "type", "status", "owner", "message")},
}
#: By name in /v2/schemas.
SCHEMAS = {
    "image": _schema(),
    "images": _listing("images", _schema()),
    "member": _member,
    "members": _listing("members", _member),
    "task": _task,
    "tasks": _listing("tasks", _task),
}
