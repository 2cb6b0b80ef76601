"""Quota classes: named sets of limits, of which ``default`` is that of every project without limits of its own."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import schemas
from nova_lite.api import validation, wsgi
from nova_lite.api.quota_limits import Limits

_ITEM = {2: "/os-quota-class-sets/{quota_class}", 3: "/quota-classes/{quota_class}"}


class ItemParams(TypedDict, total=False):
    quota_class: str


class UpdateParams(ItemParams, Limits, total=False):
    pass


class QuotaClassSetsController(wsgi.Controller):
    resource = "quota_class_sets"

    @wsgi.route("GET", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-quota-class-sets:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.quota_class_sets.show)
    def show(self, req: wsgi.Request, obj: None, params: ItemParams) -> dict[str, Any]:
        """Show the limits of a quota class.

        A class that nobody has set has the configured limits.
        """
        name = params["quota_class"]
        return {"id": name} | self.compute.quota_class(req.context, name)

    @wsgi.route("PUT", _ITEM[2], v3=_ITEM[3], policy="os_compute_api:os-quota-class-sets:update")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400)
    @validation.schema(schemas.quota_class_sets.update)
    def update(self, req: wsgi.Request, obj: None, params: UpdateParams) -> dict[str, Any]:
        """Change limits of a quota class.

        Those of the class ``default`` hold for every project without limits of its own; other classes are kept and
        limit nobody.
        """
        limits: dict[str, Any] = dict(params)
        name = limits.pop("quota_class")
        return {"id": name} | self.compute.set_quota_class(req.context, name, limits)
