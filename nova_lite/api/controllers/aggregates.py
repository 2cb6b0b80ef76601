"""Host aggregates: groups of hosts, and the availability zones that some of them are."""

from __future__ import annotations

import re
import uuid
from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import times, validation, wsgi

_ITEM = {2: "/os-aggregates/{aggregate_id}", 3: "/aggregates/{aggregate_id}"}
_ACTION = {2: "/os-aggregates/{aggregate_id}/action", 3: "/aggregates/{aggregate_id}/action"}
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}")


class CreateParams(TypedDict, total=False):
    name: str
    availability_zone: str | None


class ItemParams(TypedDict, total=False):
    aggregate_id: str


class UpdateParams(ItemParams, total=False):
    name: str
    availability_zone: str | None


class HostParams(ItemParams, total=False):
    host: str


class MetadataParams(ItemParams, total=False):
    metadata: dict[str, str | None]


class ImagesParams(ItemParams, total=False):
    cache: list[dict[str, str]]


class AggregatesController(wsgi.Controller):
    """Aggregates are looked up here: what a path names is a number in major 2 and a uuid in major 3."""

    resource = "aggregates"

    @wsgi.route("GET", "/os-aggregates", v3="/aggregates", policy="os_compute_api:os-aggregates:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.aggregates.index)
    def index(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List host aggregates."""
        return {"aggregates": [_view(aggregate) for aggregate in self.compute.list_aggregates(req.context)]}

    @wsgi.route("POST", "/os-aggregates", v3="/aggregates", policy="os_compute_api:os-aggregates:create")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.response(201, version="3.0")
    @wsgi.expected_errors(400, 409)
    @validation.schema(schemas.aggregates.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Create a host aggregate.

        With an ``availability_zone`` the hosts that are put into it are that zone. 409 when the name is taken.
        """
        zone = params.get("availability_zone")
        return _view(self.compute.create_aggregate(req.context, params["name"], zone))

    @wsgi.route("GET", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-aggregates:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.aggregates.show)
    def show(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """Show a host aggregate."""
        return _view(self.compute.get_aggregate(req.context, _reference(req, params)))

    @wsgi.route("PUT", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-aggregates:update")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.aggregates.update)
    def update(self, req: wsgi.Request, obj: None, params: UpdateParams) -> dict[str, Any]:
        """Change the name or the availability zone of a host aggregate.

        400 for a zone while servers are on its hosts, or while one of them is in another zone by another aggregate.
        """
        changes: dict[str, str | None] = {}
        if "name" in params:
            changes["name"] = params["name"].strip()
        if "availability_zone" in params:
            changes["availability_zone"] = params["availability_zone"]
        return _view(self.compute.update_aggregate(req.context, self._number(req, params), changes))

    @wsgi.route("DELETE", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-aggregates:delete")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.response(204, version="3.0")
    @wsgi.expected_errors(400, 404)
    def delete(self, req: wsgi.Request, obj: None, params: ItemParams) -> None:
        """Delete a host aggregate.

        400 while hosts are in it.
        """
        self.compute.delete_aggregate(req.context, self._number(req, params))

    @wsgi.action("add_host", path=_ACTION[2], v3_path=_ACTION[3], policy="os_compute_api:os-aggregates:add_host")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.aggregates.add_host)
    def add_host(self, req: wsgi.Request, obj: None, params: HostParams) -> dict[str, Any]:
        """Put a host into an aggregate.

        409 when it is in there, in another zone by another aggregate, or has servers whose zone would change.
        """
        return _view(self.compute.add_host_to_aggregate(req.context, self._number(req, params), params["host"]))

    @wsgi.action("remove_host", path=_ACTION[2], v3_path=_ACTION[3], policy="os_compute_api:os-aggregates:remove_host")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.aggregates.remove_host)
    def remove_host(self, req: wsgi.Request, obj: None, params: HostParams) -> dict[str, Any]:
        """Take a host out of an aggregate.

        409 when it has servers whose zone would change.
        """
        number = self._number(req, params)
        return _view(self.compute.remove_host_from_aggregate(req.context, number, params["host"]))

    @wsgi.action(
        "set_metadata", path=_ACTION[2], v3_path=_ACTION[3], policy="os_compute_api:os-aggregates:set_metadata"
    )
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.aggregates.set_metadata)
    def set_metadata(self, req: wsgi.Request, obj: None, params: MetadataParams) -> dict[str, Any]:
        """Change the metadata of an aggregate.

        A key whose value is null goes; keys that are not named stay. ``availability_zone`` is under the conditions of
        an update.
        """
        number = self._number(req, params)
        return _view(self.compute.set_aggregate_metadata(req.context, number, params["metadata"]))

    @wsgi.route("POST", f"{_ITEM[2]}/images", v3=f"{_ITEM[3]}/images", policy="compute:aggregates:images")
    @wsgi.version(base="2.81")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.aggregates.images)
    def images(self, req: wsgi.Request, obj: None, params: ImagesParams) -> None:
        """Have images cached on the hosts of an aggregate.

        The images of a host are stored on it, so nothing has to be done; 400 for an image that does not exist or that
        is named twice.
        """
        number = self._number(req, params)
        images = [image["id"] for image in params["cache"]]
        if len(set(images)) < len(images):
            raise exceptions.Invalid("Duplicate images in request")
        self.compute.cache_images(req.context, number, images)

    def _number(self, req: wsgi.Request, params: ItemParams) -> int:
        """The number of the aggregate that the path names; in major 2 whether there is one or not."""
        reference = _reference(req, params)
        if isinstance(reference, int):
            return reference
        found: objects.Aggregate = self.compute.get_aggregate(req.context, reference)
        return found.id


def _reference(req: wsgi.Request, params: ItemParams) -> int | str:
    """What the path names: a number in major 2, a uuid in major 3. Invalid for anything else."""
    value = params["aggregate_id"]
    if req.version.major >= 3:
        try:
            return str(uuid.UUID(value))
        except ValueError as error:
            raise exceptions.Invalid(f"Invalid uuid {value[:255]}") from error
    if not _NUMBER.fullmatch(value):
        raise exceptions.Invalid("Invalid input received: id must be an integer")
    return int(value)


def _view(aggregate: objects.Aggregate) -> dict[str, Any]:
    return {
        "id": aggregate.id,
        "uuid": aggregate.uuid,
        "name": aggregate.name,
        "availability_zone": aggregate.availability_zone,
        "hosts": aggregate.hosts,
        "metadata": aggregate.metadata,
        "deleted": False,
        "deleted_at": None,
        "created_at": times.naive(aggregate.created_at),
        "updated_at": times.naive(aggregate.updated_at),
        "created_at_zoned": times.rfc3339(aggregate.created_at),
        "updated_at_zoned": times.rfc3339(aggregate.updated_at),
    }
