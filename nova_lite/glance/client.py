"""Calls of a Glance through openstacksdk: in the name of a user, by the token that came, or of this service."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import openstack.connection
from keystoneauth1 import exceptions as keystoneauth_exceptions
from keystoneauth1 import loading, token_endpoint
from keystoneauth1 import session as keystoneauth_session
from openstack import exceptions as sdk_exceptions
from oslo_config import cfg
from urllib3.exceptions import HTTPError

from nova_lite import exceptions, objects
from nova_lite.compute.image_data import DISK_FORMATS
from nova_lite.compute.images import DISK
from nova_lite.context import RequestContext
from nova_lite.objects.image import GLANCE

GROUP = "glance"
_PATCH = "application/openstack-images-v2.1-json-patch"
#: What a Glance image says of itself; all else in its document is its properties.
_OWN = frozenset(
    (
        *("id", "name", "status", "visibility", "owner", "protected", "os_hidden", "tags", "min_disk", "min_ram"),
        *("size", "virtual_size", "disk_format", "container_format", "checksum", "os_hash_algo", "os_hash_value"),
        *("created_at", "updated_at", "self", "file", "schema", "locations", "direct_url", "stores"),
    )
)


class Data:
    """The data of an image as it comes. ``read`` raises OSError when it breaks off."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def read(self, size: int, /) -> bytes:
        try:
            piece: bytes = self._answer.raw.read(size)
        except HTTPError as error:
            raise OSError(str(error)) from error
        return piece


class Glance:
    """One Glance. Used by all threads of a process; makes its connections when they are first needed."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        """:raises Invalid: it is not said how this service logs in."""
        if conf.api.auth_strategy != "keystone":
            raise exceptions.Invalid("[image] service = glance goes with [api] auth_strategy = keystone only")
        loading.register_session_conf_options(conf, GROUP)
        for group in (GROUP, "keystone_authtoken"):
            loading.register_auth_conf_options(conf, group)
        for name, value in (("auth_section", "keystone_authtoken"), ("timeout", 120)):
            conf.set_default(name, value, group=GROUP)
        self._conf = conf[GROUP]
        try:
            auth = loading.load_auth_from_conf_options(conf, GROUP)
            self._session = loading.load_session_from_conf_options(conf, GROUP, auth=auth)
        except keystoneauth_exceptions.ClientException as error:
            raise exceptions.Invalid(f"[{GROUP}]: {error}") from error
        if auth is None:
            raise exceptions.Invalid(f"[{GROUP}] auth_section names no group with auth_type and its options")
        self._lock = threading.Lock()
        self._own: Any = None
        self._endpoint: str | None = self._conf.endpoint_override

    def _of_service(self) -> Any:
        with self._lock:
            if self._own is None:
                self._own = self._images(self._session)
            return self._own

    def _of_user(self, context: RequestContext) -> Any:
        auth = token_endpoint.Token(self._where(), context.auth_token)
        return self._images(
            keystoneauth_session.Session(auth=auth, verify=self._session.verify, timeout=self._session.timeout)
        )

    def _where(self) -> str:
        if self._endpoint is None:
            found = self._session.get_endpoint(
                service_type="image", interface=self._conf.valid_interfaces, region_name=self._conf.region_name
            )
            if found is None:
                raise exceptions.Unavailable("Keystone's catalog names no image service.")
            self._endpoint = found
        return self._endpoint

    def _images(self, session: keystoneauth_session.Session) -> Any:
        connection = openstack.connection.Connection(
            session=session,
            region_name=self._conf.region_name,
            image_endpoint_override=self._where(),
            app_name="nova-lite",
        )
        return connection.image

    def _call(self, images: Any, method: str, path: str, **options: Any) -> Any:
        answer = images.request(path, method, **options)
        sdk_exceptions.raise_from_response(answer)
        return answer

    # -- in the name of a user ---------------------------------------------------------------------------------

    def get(self, context: RequestContext, image_id: str) -> objects.Image:
        """:raises ImageNotFound: also for one that the user may not see."""
        with told(image_id):
            return image_of(self._call(self._of_user(context), "GET", f"/images/{_name(image_id)}").json())

    def list(self, context: RequestContext, query: Mapping[str, Any], limit: int | None) -> list[objects.Image]:
        """:param query: Glance's. Raises Invalid for what it does not take."""
        found: list[objects.Image] = []
        wanted = dict(query)
        with told(str(query.get("marker"))):
            images = self._of_user(context)
            while True:
                if limit is not None:
                    wanted["limit"] = limit - len(found)
                document = self._call(images, "GET", "/images", params=wanted).json()
                found += [image_of(one) for one in document["images"]]
                if "next" not in document or not document["images"] or len(found) == limit:
                    return found
                wanted["marker"] = found[-1].id

    def create(self, context: RequestContext, document: Mapping[str, Any]) -> str:
        """Register an image that has no data yet; its id."""
        with told(""):
            return str(self._call(self._of_user(context), "POST", "/images", json=dict(document)).json()["id"])

    def set_properties(self, context: RequestContext, image: objects.Image, wanted: Mapping[str, str]) -> None:
        """Let ``wanted`` be all its properties."""
        gone = [{"op": "remove", "path": _pointer(name)} for name in image.properties if name not in wanted]
        new = [
            {"op": "replace" if name in image.properties else "add", "path": _pointer(name), "value": value}
            for name, value in wanted.items()
            if image.properties.get(name) != value
        ]
        if gone or new:
            with told(image.id):
                images, headers = self._of_user(context), {"Content-Type": _PATCH}
                self._call(images, "PATCH", f"/images/{_name(image.id)}", json=gone + new, headers=headers)

    def delete(self, context: RequestContext | None, image_id: str) -> None:
        """:param context: None for this service itself."""
        with told(image_id):
            images = self._of_user(context) if context is not None else self._of_service()
            self._call(images, "DELETE", f"/images/{_name(image_id)}")

    # -- in the name of this service ---------------------------------------------------------------------------

    def look(self, image_id: str) -> objects.Image:
        """Whoever owns it. Raises ImageNotFound."""
        with told(image_id):
            return image_of(self._call(self._of_service(), "GET", f"/images/{_name(image_id)}").json())

    @contextlib.contextmanager
    def download(self, image_id: str) -> Iterator[Data]:
        with told(image_id):
            headers = {"Accept": "application/octet-stream", "Accept-Encoding": "identity"}
            path = f"/images/{_name(image_id)}/file"
            answer = self._call(self._of_service(), "GET", path, headers=headers, stream=True, log=False)
        with contextlib.closing(answer):
            yield Data(answer)

    def upload(self, image_id: str, file: Path) -> None:
        """All of a file becomes an image's data."""
        with told(image_id), open(file, "rb") as reader:
            headers = {"Content-Type": "application/octet-stream"}
            path = f"/images/{_name(image_id)}/file"
            self._call(self._of_service(), "PUT", path, headers=headers, data=reader, log=False)


@contextlib.contextmanager
def told(image_id: str) -> Iterator[None]:
    """Turns what goes wrong between here and Glance into our own errors."""
    try:
        yield
    except sdk_exceptions.NotFoundException as error:
        raise exceptions.ImageNotFound(image_id) from error
    except sdk_exceptions.ForbiddenException as error:
        raise exceptions.Forbidden(f"Not authorized for image {image_id}.") from error
    except sdk_exceptions.ConflictException as error:
        raise exceptions.Conflict(_words(error)) from error
    except sdk_exceptions.HttpException as error:
        if error.status_code is not None and 400 <= int(error.status_code) < 500 and int(error.status_code) != 401:
            raise exceptions.Invalid(_words(error)) from error
        raise exceptions.Unavailable(f"The image service answers: {_words(error)}") from error
    except (sdk_exceptions.SDKException, keystoneauth_exceptions.ClientException) as error:
        raise exceptions.Unavailable(f"The image service cannot be reached: {' '.join(str(error).split())}") from error


def _words(error: Any) -> str:
    return " ".join(str(error.details or error.message or error).split())[:500]


def _name(image_id: str) -> str:
    """An id as one part of a path. Raises ImageNotFound for what cannot be one."""
    if not image_id or not all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in image_id):
        raise exceptions.ImageNotFound(image_id)
    return image_id


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")


def image_of(document: Mapping[str, Any]) -> objects.Image:
    """A Glance image in our form, without what only its data tells."""
    form, size = document.get("disk_format"), int(document.get("size") or 0)
    disk = DISK if DISK_FORMATS.get(form or "") else None
    virtual_size = document.get("virtual_size")
    if disk and not virtual_size and DISK_FORMATS[form or ""] in ("raw", "iso"):
        virtual_size = size
    return objects.Image(
        id=str(document["id"]),
        name=str(document.get("name") or ""),
        kernel="",
        kernel_format="",
        size=size,
        status=str(document["status"]),
        visibility=str(document.get("visibility", GLANCE)),
        project_id=document.get("owner"),
        min_disk=int(document.get("min_disk") or 0),
        min_ram=int(document.get("min_ram") or 0),
        disk=disk,
        disk_format=form,
        virtual_size=-(-int(virtual_size) // 512) * 512 if virtual_size else None,
        os_hash_algo=document.get("os_hash_algo"),
        os_hash_value=document.get("os_hash_value"),
        checksum=document.get("checksum"),
        container_format=document.get("container_format"),
        protected=bool(document.get("protected")),
        os_hidden=bool(document.get("os_hidden")),
        tags=list(document.get("tags") or []),
        properties={name: str(value) for name, value in document.items() if name not in _OWN and value is not None},
        created_at=_time(document.get("created_at")),
        updated_at=_time(document.get("updated_at")),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
