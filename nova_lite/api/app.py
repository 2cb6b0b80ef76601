"""Build the WSGI application: options in, falcon app out. Nothing is found in a global."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import pkgutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import falcon
import sqlalchemy
from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite import embedded, exceptions, objects
from nova_lite.api import auth, controllers, discovery, errors, pipeline, policy, removed, wsgi
from nova_lite.api.operations import Table, collect
from nova_lite.api.service import COMPUTE, Service
from nova_lite.api.versions import Version
from nova_lite.compute import api as compute_api
from nova_lite.compute import node_client
from nova_lite.embedded.mount import WSGI

LOG = logging.getLogger(__name__)


def find_controllers() -> list[type[wsgi.Controller]]:
    """Every controller class of nova_lite.api.controllers, in the order of module and class name."""
    found = []
    for info in sorted(pkgutil.iter_modules(controllers.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{controllers.__name__}.{info.name}")
        for _, value in sorted(inspect.getmembers(module, inspect.isclass)):
            if issubclass(value, wsgi.Controller) and value.__module__ == module.__name__ and value.declared:
                found.append(value)
    return found


def build_table(compute: Any, known_rules: frozenset[str]) -> Table:
    """The operation table over every controller. :raises DeclarationError: with what to mend."""
    return collect([controller(compute) for controller in find_controllers()], known_rules)


def policy_path(conf: cfg.ConfigOpts) -> Path:
    """The overrides to watch: ``[oslo_policy] policy_file``.

    A relative name is looked for where oslo.config looks (/etc/nova-lite among others), then in the state folder.
    """
    name = Path(conf.oslo_policy.policy_file)
    if name.is_absolute():
        return name
    found = conf.find_file(str(name))
    return Path(found) if found else nova_lite_conf.paths(conf).state / name


def loaders(compute: Any) -> dict[type, pipeline.Loader]:
    """How the object that a route names is found; NotFound for what the caller may not see."""
    return {
        objects.Instance: lambda req, value: compute.get(req.context, value),
        objects.Flavor: lambda req, value: compute.get_flavor(req.context, value),
        objects.Image: lambda req, value: compute.get_image(req.context, value),
        objects.ServerGroup: lambda req, value: compute.get_server_group(req.context, value),
        objects.Volume: lambda req, value: compute.get_volume(req.context, value),
        objects.VolumeSnapshot: lambda req, value: compute.get_volume_snapshot(req.context, value),
        objects.Service: lambda req, value: compute.get_service(req.context, value),
        objects.Hypervisor: lambda req, value: compute.get_hypervisor(req.context, value),
    }


def build(conf: cfg.ConfigOpts, compute: Any = None, warm: bool = False) -> WSGI:
    """The whole application: the Compute API, and the companions that ``conf`` wants beside it.

    :param conf: from ``nova_lite.conf.load``.
    :param compute: a compute API; None makes the one that ``conf`` describes.
    :param warm: compile every schema now, not at its first request: for a server that forks its workers.
    :raises DeclarationError: the controllers, schemas and policies of this tree do not fit together.
    """
    if compute is None:
        compute = compute_api.connect(conf)
    engine = policy.PolicyEngine(policy_path(conf))
    table = build_table(compute, engine.registered)
    if warm:
        for operation in table:
            operation.prepared.check_all()
    return embedded.beside(conf, engine, compute, functools.partial(assemble, conf, table, engine, compute))


def assemble(
    conf: cfg.ConfigOpts,
    table: Table,
    engine: policy.PolicyEngine,
    compute: Any,
    strategy: auth.Strategy | None = None,
) -> falcon.App:
    """The falcon app for a table; tests hand in tables of throw-away controllers."""
    in_turn = compute is not None and compute.database.is_sqlite
    app = falcon_app(table, engine, strategy or auth.strategy(conf), loaders(compute), conf.api, read_in_turn=in_turn)
    documents = discovery.Discovery(conf.api.endpoint_url)
    app.add_route("/", documents)
    for path in ("/v2", "/v2/"):
        app.add_route(path, documents, suffix="legacy")
    for path in ("/v2.1", "/v2.1/"):
        app.add_route(path, documents, suffix="v2")
    for path in ("/v3", "/v3/"):
        app.add_route(path, documents, suffix="v3")
    checks = {"database": lambda: _database_answers(compute), "agent": lambda: _agent_answers(compute)}
    health = discovery.HealthCheck(checks, required=frozenset({"database"}))
    app.add_route("/healthcheck", health)

    for path in ("/v2.1/{project_id}", "/v2.1/{project_id}/"):
        app.add_route(path, documents, suffix="v2")
    app.add_sink(documents.multiple_choices, r"/(?!v2(?:/|$)|v2\.1(?:/|$)|v3(?:/|$)).+")
    return app


def falcon_app(
    table: Table,
    engine: policy.PolicyEngine,
    strategy: auth.Strategy,
    loaders: Mapping[type, pipeline.Loader],
    conf: Any,
    read_in_turn: bool = False,
    service: Service = COMPUTE,
) -> falcon.App:
    """The pipeline over a table, its routes and its error answers; discovery is the caller's to add."""
    flow = pipeline.Pipeline(table, engine, strategy, loaders, conf, read_in_turn, service)
    app = falcon.App(middleware=[flow])
    app.req_options.strip_url_path_trailing_slash = service.slash_ends_paths
    app.add_error_handler(Exception, pipeline.answer_unexpected)
    app.add_error_handler(falcon.HTTPError, pipeline.answer_falcon)
    app.add_error_handler(errors.HTTPFault, pipeline.answer_fault)
    for major, prefix in service.prefixes.items():
        routes = table.routes.get(major, {})
        gone = _with_names_of(routes, service.removed) if major == 2 else {}
        for path in routes | gone:
            methods = {*routes.get(path, ()), *(("HEAD",) if service.heads and "GET" in routes.get(path, ()) else ())}
            resource = _resource(flow, path, methods, gone.get(path, frozenset()) - methods)
            app.add_route(prefix + path, resource)
            if service.projects_in_paths:
                app.add_route(prefix + "/{project_id}" + path, resource)
        for alias, (path, last) in service.aliases.items() if major == 2 else ():
            if path in routes:
                resource = _alias(flow, path, routes[path], last)
                app.add_route(prefix + alias, resource)
                app.add_route(prefix + "/{project_id}" + alias, resource)
    return app


def _database_answers(compute: Any) -> bool:
    try:
        with compute.database.read() as connection:
            connection.execute(sqlalchemy.text("SELECT 1"))
    except (sqlalchemy.exc.SQLAlchemyError, exceptions.Unavailable) as error:
        LOG.error("Health check: the database does not answer: %s", error)
        return False
    return True


def _agent_answers(compute: Any) -> bool:
    try:
        compute.agent.call("Agent.ping", {})
    except node_client.NodeError as error:
        LOG.warning("Health check: the agent does not answer: %s", error)
        return False
    return True


def _with_names_of(routes: Iterable[str], removed_paths: Mapping[str, frozenset[str]]) -> dict[str, frozenset[str]]:
    """The removed paths, their fields named as other routes have them there: a router knows one name for each place."""
    names: dict[str, str] = {}

    def named(path: str) -> str:
        parts: list[str] = []
        for part in path.split("/"):
            if part.startswith("{"):
                part = names.setdefault("/".join(parts), part)
            parts.append(part)
        return "/".join(parts)

    for path in routes:
        named(path)
    return {named(path): methods for path, methods in removed_paths.items()}


def _alias(flow: pipeline.Pipeline, path: str, methods: Iterable[str], last: Version) -> object:
    """A falcon resource for another name of ``path``, until ``last``."""

    def respond(http: falcon.Request, resp: falcon.Response, **fields: str) -> None:
        if http.context.request.version > last:
            raise errors.HTTPFault(404, pipeline.NOT_FOUND)
        flow.handle(http, resp, path, fields)

    return type("Alias", (), {f"on_{method.lower()}": staticmethod(respond) for method in methods})()


def _resource(flow: pipeline.Pipeline, path: str, methods: Iterable[str], gone: Iterable[str]) -> object:
    """A falcon resource with one responder for each method that the table has on ``path``, or once had."""

    def respond(http: falcon.Request, resp: falcon.Response, **fields: str) -> None:
        flow.handle(http, resp, path, fields)

    def refuse(http: falcon.Request, resp: falcon.Response, **fields: str) -> None:
        raise errors.HTTPFault(410, removed.MESSAGE)

    responders = dict.fromkeys(methods, respond) | dict.fromkeys(gone, refuse)
    return type("Route", (), {f"on_{method.lower()}": staticmethod(one) for method, one in responders.items()})()
