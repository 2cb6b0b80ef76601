"""Changes of an image as clients send them: JSON patches in the two drafts that Glance takes."""

from __future__ import annotations

from typing import Any

from nova_lite import exceptions, objects
from nova_lite.api.validator import Validator
from nova_lite.db import images as db_images
from nova_lite.embedded.image import formats
from nova_lite.embedded.image.views import READ_ONLY, RESERVED, WRITABLE

DRAFT_4, DRAFT_10 = "application/openstack-images-v2.0-json-patch", "application/openstack-images-v2.1-json-patch"
#: Attributes whose column has another name.
COLUMNS = {"owner": "project_id"}
_OPERATIONS = ("add", "remove", "replace")
_VALUES = Validator(formats.create_input_2_1)


def check_writable(name: str) -> None:
    """:raises Forbidden: only the service writes an attribute of that name."""
    if name in READ_ONLY or name == "id":
        raise exceptions.Forbidden(f"Attribute '{name}' is read-only.")
    if name in RESERVED or name.startswith("os_glance_"):
        raise exceptions.Forbidden(f"Attribute '{name}' is reserved.")


def said(document: dict[str, Any]) -> dict[str, Any]:
    """An image as a request describes it, in the words of ``register_image``. Forbidden as for ``check_writable``."""
    for name in document:
        if name != "id":
            check_writable(name)
    own = {name: value for name, value in document.items() if name in WRITABLE and name != "id"}
    values = {COLUMNS.get(name, name): _column(name, value) for name, value in own.items()}
    values["properties"] = {name: value for name, value in document.items() if name not in WRITABLE}
    return values


def applied(image: objects.Image, document: Any, media_type: str) -> dict[str, Any]:
    """What of an image the patch changes, in the words of ``update_image``.

    :raises Invalid: it is no such patch, or a value is not what it must be.
    :raises Forbidden: it changes what cannot be.
    :raises Conflict: it changes a property that there is not.
    """
    if not isinstance(document, list):
        raise exceptions.Invalid("Request body must be a JSON array of operation objects.")
    values: dict[str, Any] = {}
    properties = dict(image.properties)
    for change in document:
        operation, name, value = _change(change, media_type)
        check_writable(name)
        if operation == "remove":
            if name in WRITABLE:
                raise exceptions.Forbidden(f"Property {name} may not be removed.")
            if name not in properties:
                raise exceptions.Conflict(f"Property {name} does not exist.")
            del properties[name]
            continue
        _check_value(name, value)
        if name in WRITABLE:
            if name in ("disk_format", "container_format") and image.status != db_images.QUEUED:
                raise exceptions.Forbidden(f"Attribute {name} can be only replaced for a queued image.")
            values[COLUMNS.get(name, name)] = _column(name, value)
        elif operation == "replace" and name not in properties:
            raise exceptions.Conflict(f"Property {name} does not exist.")
        else:
            properties[name] = value
    return values | ({"properties": properties} if properties != image.properties else {})


def _column(name: str, value: Any) -> Any:
    if name == "name":
        return value or ""
    return sorted(set(value)) if name == "tags" else value


def _check_value(name: str, value: Any) -> None:
    faults = _VALUES.faults({name: value})
    if faults:
        raise exceptions.Invalid(f"Provided object does not match schema 'image': {name}: {faults[0].message}")


def _change(change: Any, media_type: str) -> tuple[str, str, Any]:
    if not isinstance(change, dict):
        raise exceptions.Invalid("Operations must be JSON objects.")
    if media_type == DRAFT_10:
        operation, pointer = change.get("op"), change.get("path")
    else:
        found = [name for name in _OPERATIONS if name in change]
        if len(found) > 1:
            raise exceptions.Invalid(f"Operation objects must contain only one of {', '.join(_OPERATIONS)}.")
        operation = found[0] if found else None
        pointer = change.get(operation) if operation else None
    if operation not in _OPERATIONS:
        raise exceptions.Invalid(f"Operations must be one of {', '.join(_OPERATIONS)}, not {str(operation)[:80]}.")
    name = _name(pointer)
    if operation != "remove" and "value" not in change:
        raise exceptions.Invalid(f"Operation \"{operation}\" requires a member named \"value\".")
    return operation, name, change.get("value")


def _name(pointer: Any) -> str:
    """What a JSON pointer with one part names."""
    if not isinstance(pointer, str) or not pointer.startswith("/"):
        raise exceptions.Invalid("Pointer `path` must be a string that starts with \"/\".")
    name = pointer[1:]
    if not name or "/" in name or len(name) > 255:
        raise exceptions.Invalid(f"Invalid JSON pointer for this resource: '{pointer[:255]}'")
    return name.replace("~1", "/").replace("~0", "~")
