"""Servers: listing, showing, creating, changing and deleting them, and the actions start, stop and reboot."""

from __future__ import annotations

from typing import Any, TypedDict

from nova_lite import objects, schemas
from nova_lite.api import pages, validation, wsgi
from nova_lite.api.controllers import server_create, server_facts, server_filters
from nova_lite.api.controllers.operations import announce
from nova_lite.api.controllers.server_create import CreateParams
from nova_lite.api.controllers.server_filters import ListParams
from nova_lite.compute import states


class UpdateParams(TypedDict, total=False):
    access_ip_v4: str
    access_ip_v6: str
    description: str | None
    disk_config: str
    hostname: str
    name: str
    pinned_availability_zone: str | None


class RebootParams(TypedDict):
    reboot_type: str


class ServersController(wsgi.Controller):
    resource = "servers"
    resource_obj_cls = objects.Instance

    @wsgi.route("GET", "/servers", policy="os_compute_api:servers:index")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403)
    @validation.schema(schemas.servers.index)
    def index(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List servers.

        Names and ids of the project's servers, the newest first. Filters by text are regular expressions, those by
        id or state are exact. A filter that the caller may not use is ignored, unless every caller may use it at
        that version. ``all_tenants`` lists the servers of every project. Deleted servers are listed only to
        administrators that ask for them, and to everyone together with ``changes-since`` or ``changes-before``.
        ``sort_key`` and ``sort_dir`` may be repeated; ``limit`` and ``marker`` (the last server's id) make pages.
        """
        servers = self._find(req, params, "os_compute_api:servers:index:get_all_tenants")
        return {"servers": [server_facts.brief(req, server) for server in servers]} | self._next_links(
            req, "/servers", servers, params
        )

    @wsgi.route("GET", "/servers/detail", policy="os_compute_api:servers:detail")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 403)
    @validation.schema(schemas.servers.detail)
    def detail(self, req: wsgi.Request, obj: None, params: ListParams) -> dict[str, Any]:
        """List servers with details.

        The same servers as the plain listing finds, each with everything that showing it would tell but its server
        groups.
        """
        servers = self._find(req, params, "os_compute_api:servers:detail:get_all_tenants")
        host_statuses = server_facts.HostStatuses(req, self.compute)
        ports = self.compute.ports(server.uuid for server in servers)
        volumes = self.compute.volume_attachments(req.context, [server.uuid for server in servers])
        return {
            "servers": [
                server_facts.full(
                    req, server, host_statuses, ports.get(server.uuid, []), volumes.get(server.uuid, [])
                )
                for server in servers
            ]
        } | self._next_links(req, "/servers/detail", servers, params)

    def _find(self, req: wsgi.Request, params: ListParams, all_projects_rule: str) -> list[objects.Instance]:
        all_projects = server_filters.wants_all_projects(params)
        if all_projects:
            req.authorize(all_projects_rule)
        try:
            filters = server_filters.filters_of(req, params, all_projects)
        except server_filters.NothingMatches:
            return []
        return self.compute.list(
            req.context,
            filters=filters,
            sort=server_filters.sort_of(req, params),
            limit=pages.page_size(params, self.compute.conf.api.max_limit),
            marker=params.get("marker"),
            all_projects=all_projects,
        )

    def _next_links(
        self, req: wsgi.Request, path: str, servers: list[objects.Instance], params: ListParams
    ) -> dict[str, Any]:
        markers = [server.uuid for server in servers]
        return pages.next_links(req, "servers", path, markers, params, self.compute.conf.api.max_limit)

    @wsgi.route("GET", "/servers/{server_id}", policy="os_compute_api:servers:show")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(404)
    @validation.schema(schemas.servers.show)
    def show(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> dict[str, Any]:
        """Show a server.

        ``fault`` says why a server is in ERROR; its ``details`` are for administrators. ``progress`` is there while
        something goes on or the server is active. Attributes of operators need the rule
        ``os_compute_api:os-extended-server-attributes``, ``host_status`` its own.
        """
        return self._full(req, obj)

    @wsgi.route("POST", "/servers", policy="os_compute_api:servers:create")
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(400, 403, 409)
    @validation.schema(schemas.servers.create)
    def create(self, req: wsgi.Request, obj: None, params: CreateParams) -> dict[str, Any]:
        """Create servers.

        Answers as soon as the request is on disk; the server is in BUILD until it is ACTIVE or in ERROR. ``Location``
        is the server in 2.x and the operation in 3.x. With ``min_count`` and ``max_count`` as many servers as the
        quota allows are made, at least ``min_count``; the answer shows the first of them, or, with
        ``return_reservation_id``, the reservation to filter a listing by.

        A server boots from an image. Its disks are the root disk over the image's, of the flavor's size or the image's
        own where that is 0, then an ephemeral and a swap disk as the flavor says; ``block_device_mapping_v2`` can
        divide them, or make or name volumes. Without
        ``networks`` (until 2.36), or with ``auto``, it gets a card on the default network, or none where the host has
        no networks; ``security_groups``, by name or id, are for all its cards.
        ``key_name``, ``user_data`` and files (``personality``) reach the guest by the metadata service and, with
        ``config_drive``, by a config drive. ``adminPass`` is returned, never stored, and the guest is not told.
        ``trusted_image_certificates`` are refused: there is nothing that could validate them.
        ``os:scheduler_hints`` can name a server group (``group``), other servers (``same_host``, ``different_host``),
        an address (``build_near_host_ip``, ``cidr``) or a condition (``query``); a server that no host suits goes to
        ERROR.
        """
        server_create.check_zone(req, self.compute, params.get("availability_zone"))
        image = server_create.image_of(params)
        server_create.check_networks(req, params.get("networks"))
        name = params["name"].strip()
        instances = self.compute.create(
            req.context,
            name=name,
            # Before there were descriptions, a server was described by its name.
            description=params.get("description") if req.version >= (2, 19) else name,
            flavor_ref=server_create.flavor_of(params["flavor_ref"]),
            image_ref=image,
            min_count=params.get("min_count", 1),
            max_count=params.get("max_count"),
            metadata=params.get("metadata"),
            tags=params.get("tags"),
            key_name=params.get("key_name"),
            user_data=params.get("user_data"),
            injected_files=params.get("personality"),
            config_drive=params.get("config_drive", False),
            availability_zone=params.get("availability_zone"),
            hostname=params.get("hostname"),
            access_ip_v4=params.get("access_ip_v4"),
            access_ip_v6=params.get("access_ip_v6"),
            disk_config=params.get("disk_config"),
            scheduler_hints=params.get("scheduler_hints", params.get("scheduler_hints_alias")),
            trusted_image_certificates=params.get("trusted_image_certificates"),
            zero_disk_allowed=req.allowed("os_compute_api:servers:create:zero_disk_flavor"),
            host=params.get("host"),
            hypervisor_hostname=params.get("hypervisor_hostname"),
            networks=params.get("networks"),
            block_device_mapping=params.get("block_device_mapping"),
            block_device_mapping_v2=params.get("block_device_mapping_v2"),
            security_groups=[group["name"] for group in params.get("security_groups", []) if "name" in group],
        )
        first = instances[0]
        if params.get("return_reservation_id"):
            announce(req, self.compute, first)
            return {"reservation_id": first.reservation_id}
        req.set_header("Location", req.url(f"/servers/{first.uuid}"))
        announce(req, self.compute, first)
        groups = params.get("security_groups", [{"name": "default"}])
        facts = {
            "id": first.uuid,
            "links": server_facts.links(req, f"/servers/{first.uuid}"),
            "disk_config": first.disk_config,
            "security_groups": [{"name": group["name"]} for group in groups if "name" in group],
        }
        if self.compute.conf.api.enable_instance_password:
            facts["admin_password"] = server_create.password_of(params)
        return facts

    @wsgi.route("PUT", "/servers/{server_id}", policy="os_compute_api:servers:update")
    @wsgi.version(base="2.1")
    @wsgi.response(200)
    @wsgi.expected_errors(400, 404, 409)
    @validation.schema(schemas.servers.update)
    def update(self, req: wsgi.Request, obj: objects.Instance, params: UpdateParams) -> dict[str, Any]:
        """Change a server's name, description, addresses, host name or zone.

        The guest does not notice. A server can be pinned to the zone that it is in, and unpinned with null; any
        other zone is a conflict.
        """
        changes: dict[str, Any] = dict(params)
        if "name" in changes:
            changes["name"] = changes["name"].strip()
        updated = self.compute.update(req.context, obj, **changes)
        return self._full(req, updated)

    def _full(self, req: wsgi.Request, server: objects.Instance) -> dict[str, Any]:
        ports = self.compute.ports([server.uuid]).get(server.uuid, [])
        volumes = self.compute.volume_attachments(req.context, [server.uuid]).get(server.uuid, [])
        groups = self.compute.groups_of_instance(server) if req.version >= (2, 71) else ()
        statuses = server_facts.HostStatuses(req, self.compute)
        return server_facts.full(req, server, statuses, ports, volumes, groups)

    @wsgi.route("DELETE", "/servers/{server_id}", policy="os_compute_api:servers:delete")
    @wsgi.verb(states.DELETE, states.SOFT_DELETE)
    @wsgi.version(base="2.1")
    @wsgi.response(204, version="2.1")
    @wsgi.response(202, version="3.0")
    @wsgi.expected_errors(404, 409)
    def delete(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Delete a server.

        Works in every state; only a lock stands in the way of those who are no administrators. The server is gone
        from listings when the work is done.
        """
        self.compute.delete(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("os-start", v3="start", policy="os_compute_api:servers:start")
    @wsgi.verb(states.START)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.servers.start)
    def start(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Start a server.

        Boots a server that is in SHUTOFF. Anything else is a conflict.
        """
        self.compute.start(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("os-stop", v3="stop", policy="os_compute_api:servers:stop")
    @wsgi.verb(states.STOP)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.servers.stop)
    def stop(self, req: wsgi.Request, obj: objects.Instance, params: wsgi.NoParams) -> None:
        """Stop a server.

        Powers off a server that is ACTIVE or in ERROR; what it had in memory is lost.
        """
        self.compute.stop(req.context, obj)
        announce(req, self.compute, obj)

    @wsgi.action("reboot", policy="os_compute_api:servers:reboot")
    @wsgi.verb(states.REBOOT, states.REBOOT_HARD)
    @wsgi.version(base="2.1")
    @wsgi.response(202)
    @wsgi.expected_errors(404, 409)
    @validation.schema(schemas.servers.reboot)
    def reboot(self, req: wsgi.Request, obj: objects.Instance, params: RebootParams) -> None:
        """Reboot a server.

        SOFT resets the machine of an ACTIVE server. HARD gives it a new machine, and works also in SHUTOFF, PAUSED
        and ERROR.
        """
        self.compute.reboot(req.context, obj, hard=params["reboot_type"].upper() == "HARD")
        announce(req, self.compute, obj)
