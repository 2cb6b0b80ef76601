"""Limits: what a project may have and what it has."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import schemas
from nova_lite.api import validation, wsgi

# Used of Nova's old network quotas: nothing here counts there; clients below 2.36 look for the keys.
_GONE_FROM_NOVA = {"security_groups_used": 0, "floating_ips_used": 0}


class LimitsParams(TypedDict, total=False):
    project_id: str


class LimitsController(wsgi.Controller):
    resource = "limits"

    @wsgi.route("GET", "/limits", policy="os_compute_api:limits")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors()
    @validation.schema(schemas.limits.index)
    def index(self, req: wsgi.Request, obj: None, params: LimitsParams) -> dict[str, Any]:
        """Show the limits of a project.

        Of the caller's own project, or of the one that ``tenant_id`` (3.0: ``project_id``) names, for those who pass
        ``os_compute_api:limits:other_project``. -1 is unlimited; memory is in MiB. There are no rate limits.
        """
        project_id = params.get("project_id", req.context.project_id)
        limits = self.compute.quota_limits(req.context, project_id)
        used = self.compute.usage(req.context, project_id)
        view: dict[str, Any] = _GONE_FROM_NOVA | limits
        view |= {f"{name}_used": count for name, count in used.items()}
        return view | {"rate": [], "metadata_items_per_image": limits["metadata_items"]}
