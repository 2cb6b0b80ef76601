"""Flavors: the sizes that servers come in."""

from __future__ import annotations

from typing import Any, TypedDict
from urllib.parse import quote

from nova_lite import exceptions, objects, schemas
from nova_lite.api import pages, validation, wsgi

# Names that 3.0 sorts by, where they are not the column's own.
_COLUMNS = {"id": "flavorid", "ram": "memory_mb", "disk": "root_gb", "ephemeral": "ephemeral_gb"}

_IS_PUBLIC: dict[str, bool | None] = {
    **dict.fromkeys(("1", "t", "true", "on", "y", "yes"), True),
    **dict.fromkeys(("0", "f", "false", "off", "n", "no"), False),
    "none": None,
}


class ListParams(TypedDict, total=False):
    is_public: str
    min_ram: int
    min_disk: int
    name: str
    sort_key: str
    sort_by: str
    sort_dir: str
    limit: int
    marker: str


class CreateParams(TypedDict, total=False):
    id: str | None
    name: str
    description: str | None
    ram: int
    vcpus: int
    disk: int
    ephemeral: int
    swap: int
    rxtx_factor: float
    is_public: bool


class UpdateParams(TypedDict, total=False):
    description: str | None


class FlavorsController(wsgi.Controller):
    resource = "flavors"
    resource_obj_cls = objects.Flavor

    @wsgi.route("GET", "/flavors", policy="os_compute_api:flavors:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.flavors.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List flavors.

        Public flavors and the private ones that the caller's project has access to, sorted by id unless ``sort_key``
        says otherwise. Administrators choose with ``is_public``: true (the default), false, or none for both.
        ``minRam`` (MiB), ``minDisk`` (GiB) and, from 2.102 on, ``name`` narrow the list. ``limit`` and ``marker``
        (a flavor's id) make pages.
        """
        return self._list(req, params, "/flavors")

    @wsgi.route("GET", "/flavors/detail", policy="os_compute_api:flavors:detail")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.flavors.detail)
    def detail(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List flavors with details.

        Filters, order and pages are those of the plain list. From 2.61 on extra specs are shown to those who may list
        them.
        """
        return self._list(req, params, "/flavors/detail")

    @wsgi.route("GET", "/flavors/{flavor_id}", policy="os_compute_api:flavors:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.flavors.show)
    def show(self, req: wsgi.Request, obj: objects.Flavor, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a flavor.

        A private flavor can be seen by administrators and by the projects on its access list.
        """
        return _view(req, obj)

    @wsgi.route("POST", "/flavors", policy="os_compute_api:os-flavor-manage:create")
    @wsgi.version(base="2.1")
    @wsgi.response(200, version="2.1")
    @wsgi.response(201, version="3.0")
    @wsgi.expected_errors(400, 409)
    @validation.schema(schemas.flavors.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Create a flavor.

        Memory and swap are in MiB, disks in GiB. Without an id the flavor gets a random uuid. A private flavor starts
        with an empty access list, not even the caller's project is on it. 409 when the id or the name is taken.
        """
        flavor = self.compute.create_flavor(
            req.context,
            name=params["name"],
            flavorid=params.get("id"),
            description=params.get("description"),
            memory_mb=params["ram"],
            vcpus=params["vcpus"],
            root_gb=params["disk"],
            ephemeral_gb=params.get("ephemeral", 0),
            swap=params.get("swap", 0),
            rxtx_factor=params.get("rxtx_factor", 1.0),
            is_public=params.get("is_public", True),
        )
        return _view(req, flavor)

    @wsgi.route("PUT", "/flavors/{flavor_id}", policy="os_compute_api:os-flavor-manage:update")
    @wsgi.version(base="2.55")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.flavors.update)
    def update(self, req: wsgi.Request, obj: objects.Flavor, params: UpdateParams) -> dict[str, Any]:
        """Change the description of a flavor.

        Nothing else of a flavor can change: servers were built to its sizes. null removes the description.
        """
        return _view(req, self.compute.update_flavor(req.context, obj, params["description"]))

    @wsgi.route("DELETE", "/flavors/{flavor_id}", policy="os_compute_api:os-flavor-manage:delete")
    @wsgi.version(base="2.1")
    @wsgi.response(202, version="2.1")
    @wsgi.response(204, version="3.0")
    @wsgi.expected_errors(404)
    def delete(self, req: wsgi.Request, obj: objects.Flavor, params: wsgi.NoParams) -> None:
        """Delete a flavor.

        It is gone when the answer arrives, whatever 202 says. Servers built from it keep their own copy.
        """
        self.compute.delete_flavor(req.context, obj)

    def _list(self, req: wsgi.Request, params: ListParams, path: str) -> dict[str, Any]:
        max_limit = self.compute.conf.api.max_limit
        by = params.get("sort_by", "id")
        flavors = self.compute.list_flavors(
            req.context,
            is_public=_parse_is_public(params.get("is_public")) if req.context.is_admin else True,
            min_ram=params.get("min_ram"),
            min_disk=params.get("min_disk"),
            name=params.get("name"),
            sort_key=params.get("sort_key") or _COLUMNS.get(by, by),
            sort_dir=params.get("sort_dir", "asc"),
            limit=pages.page_size(params, max_limit),
            marker=params.get("marker"),
        )
        markers = [flavor.flavorid for flavor in flavors]
        next_links = pages.next_links(req, "flavors", path, markers, params, max_limit)
        return {"flavors": [_view(req, flavor) for flavor in flavors]} | next_links


def _parse_is_public(value: str | None) -> bool | None:
    """True, False, or None for both; public flavors when nothing is asked for."""
    if value is None:
        return True
    word = value.strip().lower()
    if word not in _IS_PUBLIC:
        raise exceptions.Invalid(f"Invalid is_public filter [{value}]")
    return _IS_PUBLIC[word]


def _view(req: wsgi.Request, flavor: objects.Flavor) -> dict[str, Any]:
    path = f"/flavors/{quote(flavor.flavorid)}"
    return {
        "id": flavor.flavorid,
        "name": flavor.name,
        "description": flavor.description,
        "ram": flavor.memory_mb,
        "vcpus": flavor.vcpus,
        "disk": flavor.root_gb,
        "ephemeral": flavor.ephemeral_gb,
        "swap": flavor.swap,
        "swap_or_blank": flavor.swap or "",
        "rxtx_factor": flavor.rxtx_factor,
        "disabled": flavor.disabled,
        "is_public": flavor.is_public,
        "extra_specs": flavor.extra_specs,
        "links": [{"rel": "self", "href": req.url(path)}, {"rel": "bookmark", "href": req.bookmark(path)}],
    }
