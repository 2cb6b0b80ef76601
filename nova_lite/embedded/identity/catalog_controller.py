"""What there is one of, and what is found where: the domain, the region, services, endpoints; no groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from nova_lite import exceptions
from nova_lite.api import validation, wsgi
from nova_lite.embedded.identity import views
from nova_lite.embedded.identity.auth_controller import FORMATS
from nova_lite.embedded.identity.domain import DOMAIN_ID, DOMAIN_NAME


class DomainFilters(TypedDict, total=False):
    name: str
    enabled: bool


class DomainParams(TypedDict):
    domain_id: str


class RegionParams(TypedDict):
    region_id: str


class ServiceFilters(TypedDict, total=False):
    type: str
    name: str


class ServiceParams(TypedDict):
    service_id: str


class EndpointFilters(TypedDict, total=False):
    interface: str
    service_id: str
    region_id: str


class EndpointParams(TypedDict):
    endpoint_id: str


class CatalogController(wsgi.Controller):
    resource = "formats"

    def __init__(self, catalog: views.Catalog) -> None:
        self.catalog = catalog

    @wsgi.route("GET", "/domains", policy="identity:list_domains")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_domains)
    def list_domains(self, req: wsgi.Request, obj: None, params: DomainFilters) -> dict[str, Any]:
        """List domains: there is one."""
        passes = params.get("name", DOMAIN_NAME).lower() == DOMAIN_NAME.lower() and params.get("enabled", True)
        return views.listing(req, "domains", [views.domain(req)] if passes else [])

    @wsgi.route("GET", "/domains/{domain_id}", policy="identity:get_domain")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_domain)
    def show_domain(self, req: wsgi.Request, obj: None, params: DomainParams) -> dict[str, Any]:
        """Show a domain."""
        if params["domain_id"] != DOMAIN_ID:
            raise exceptions.NotFound(f"Could not find domain: {params['domain_id'][:255]}.")
        return views.domain(req)

    @wsgi.route("GET", "/regions", policy="identity:list_regions")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_regions)
    def list_regions(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List regions: there is one."""
        return views.listing(req, "regions", [self._region(req)])

    @wsgi.route("GET", "/regions/{region_id}", policy="identity:get_region")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_region)
    def show_region(self, req: wsgi.Request, obj: None, params: RegionParams) -> dict[str, Any]:
        """Show a region."""
        return _named([self._region(req)], "region", params["region_id"])

    @wsgi.route("GET", "/services", policy="identity:list_services")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_services)
    def list_services(self, req: wsgi.Request, obj: None, params: ServiceFilters) -> dict[str, Any]:
        """List the services in the catalog."""
        return views.listing(req, "services", _passing(self._services(req), params))

    @wsgi.route("GET", "/services/{service_id}", policy="identity:get_service")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_service)
    def show_service(self, req: wsgi.Request, obj: None, params: ServiceParams) -> dict[str, Any]:
        """Show a service in the catalog."""
        return _named(self._services(req), "service", params["service_id"])

    @wsgi.route("GET", "/endpoints", policy="identity:list_endpoints")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_endpoints)
    def list_endpoints(self, req: wsgi.Request, obj: None, params: EndpointFilters) -> dict[str, Any]:
        """List the endpoints in the catalog."""
        return views.listing(req, "endpoints", _passing(self._endpoints(req), params))

    @wsgi.route("GET", "/endpoints/{endpoint_id}", policy="identity:get_endpoint")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(FORMATS.show_endpoint)
    def show_endpoint(self, req: wsgi.Request, obj: None, params: EndpointParams) -> dict[str, Any]:
        """Show an endpoint in the catalog."""
        return _named(self._endpoints(req), "endpoint", params["endpoint_id"])

    @wsgi.route("GET", "/groups", policy="identity:list_groups")
    @wsgi.version(base="3.0")
    @wsgi.response(200)
    @validation.schema(FORMATS.list_groups)
    def list_groups(self, req: wsgi.Request, obj: None, params: wsgi.NoParams) -> dict[str, Any]:
        """List groups of users: there are none."""
        return views.listing(req, "groups", [])

    def _region(self, req: wsgi.Request) -> dict[str, Any]:
        region = {"id": self.catalog.region, "description": "", "parent_region_id": None}
        return views.linked(req, "regions", region)

    def _services(self, req: wsgi.Request) -> list[dict[str, Any]]:
        return [views.linked(req, "services", one) for one in self.catalog.services()]

    def _endpoints(self, req: wsgi.Request) -> list[dict[str, Any]]:
        return [views.linked(req, "endpoints", one) for one in self.catalog.endpoints(views.root_url(req))]


def _passing(found: list[dict[str, Any]], filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [one for one in found if filters.items() <= one.items()]


def _named(found: list[dict[str, Any]], kind: str, identifier: str) -> dict[str, Any]:
    """The document of the one with that id. NotFound in Keystone's words."""
    for one in found:
        if one["id"] == identifier:
            return {kind: one}
    raise exceptions.NotFound(f"Could not find {kind}: {identifier[:255]}.")
