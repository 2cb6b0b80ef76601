"""Extra specs: free-form properties of a flavor."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import exceptions, objects, schemas
from nova_lite.api import extra_specs, validation, wsgi

_PATH = "/flavors/{flavor_id}/os-extra_specs"
_PATH_3 = "/flavors/{flavor_id}/extra-specs"


class CreateParams(TypedDict, total=False):
    extra_specs: dict[str, str | int | float]


class ItemParams(TypedDict, total=False):
    key: str


class UpdateParams(ItemParams, total=False):
    extra_specs: dict[str, str | int | float]
    value: str


class FlavorExtraSpecsController(wsgi.Controller):
    resource = "flavor_extra_specs"
    resource_obj_cls = objects.Flavor

    @wsgi.route("GET", _PATH, v3=_PATH_3, policy="os_compute_api:os-flavor-extra-specs:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.flavor_extra_specs.index)
    def index(self, req: wsgi.Request, obj: objects.Flavor, params: wsgi.NoParams) -> dict[str, Any]:
        """List the extra specs of a flavor."""
        return {"extra_specs": obj.extra_specs}

    @wsgi.route("POST", _PATH, v3=_PATH_3, policy="os_compute_api:os-flavor-extra-specs:create")
    @wsgi.version(base="2.1")
    @wsgi.response(200, version="2.1")
    @wsgi.response(201, version="3.0")
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.flavor_extra_specs.create)
    def create(self, req: wsgi.Request, obj: objects.Flavor, params: CreateParams) -> dict[str, Any]:
        """Add extra specs to a flavor.

        Those of the same name are replaced, others stay. Numbers are kept as text. From 2.86 on names of a known
        namespace must be known themselves, and their values fit. Servers built before are not touched.
        """
        given = params["extra_specs"]
        self._set(req, obj, given)
        return {"extra_specs": given}

    @wsgi.route("GET", _PATH + "/{key}", v3=_PATH_3 + "/{key}", policy="os_compute_api:os-flavor-extra-specs:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.flavor_extra_specs.show)
    def show(self, req: wsgi.Request, obj: objects.Flavor, params: ItemParams) -> dict[str, Any]:
        """Show one extra spec of a flavor."""
        key = params["key"]
        if key not in obj.extra_specs:
            raise _no_such_spec(obj, key)
        return _view(key, obj.extra_specs[key])

    @wsgi.route("PUT", _PATH + "/{key}", v3=_PATH_3 + "/{key}", policy="os_compute_api:os-flavor-extra-specs:update")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404)
    @validation.schema(schemas.flavor_extra_specs.update)
    def update(self, req: wsgi.Request, obj: objects.Flavor, params: UpdateParams) -> dict[str, Any]:
        """Set one extra spec of a flavor.

        It is added where it was not there. In major 2 the body repeats the key of the URL; 400 when they differ.
        """
        key = params["key"]
        given: dict[str, Any] = params.get("extra_specs") or {key: params["value"]}
        if key not in given:
            raise exceptions.Invalid("Request body and URI mismatch")
        self._set(req, obj, given)
        return _view(key, given[key])

    @wsgi.route("DELETE", _PATH + "/{key}", v3=_PATH_3 + "/{key}", policy="os_compute_api:os-flavor-extra-specs:delete")
    @wsgi.version(base="2.1")
    @wsgi.response(200, version="2.1")
    @wsgi.response(204, version="3.0")
    @wsgi.expected_errors(404)
    def delete(self, req: wsgi.Request, obj: objects.Flavor, params: ItemParams) -> None:
        """Remove one extra spec of a flavor."""
        key = params["key"]
        if key not in obj.extra_specs:
            raise _no_such_spec(obj, key)
        self.compute.delete_extra_spec(req.context, obj, key)

    def _set(self, req: wsgi.Request, flavor: objects.Flavor, given: dict[str, Any]) -> None:
        specs = {name: str(value) for name, value in given.items()}
        if req.version >= (2, 86):
            for name, value in specs.items():
                extra_specs.validate(name, value)
        self.compute.set_extra_specs(req.context, flavor, specs)


def _view(key: str, value: str | int | float) -> dict[str, Any]:
    return {"extra_specs": {key: value}, "key": key, "value": value}


def _no_such_spec(flavor: objects.Flavor, key: str) -> exceptions.NotFound:
    return exceptions.NotFound(f"Flavor {flavor.flavorid} has no extra specs with key {key}.")
