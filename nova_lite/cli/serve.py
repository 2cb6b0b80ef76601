"""``nova-lite serve``: API and agent in the foreground; makes what a first start needs, says clearly what it lacks."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
import time
from collections.abc import Iterator
from typing import Any, TextIO

import click
from oslo_config import cfg

from nova_lite import embedded, exceptions, log
from nova_lite.cli import first_start, foreground
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.token import token_file
from nova_lite.console.urls import base_url as consoles_url
from nova_lite.network.host import lacking
from nova_lite.paths import Paths

LOG = logging.getLogger("nova_lite.serve")

_LONGEST_SOCKET = 107  # bytes of a UNIX socket's path


@click.command()
@click.option("--host", help="Address to listen on; overrides [api] bind_host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port; overrides [api] bind_port. 0 takes a free one.")
@click.option(
    "--console-port",
    type=click.IntRange(0, 65535),
    help="Port of serial consoles; overrides [serial_console] serialproxy_port. A free one with --port 0.",
)
@click.option("--driver", type=click.Choice(["kvm", "fake"]), help="Overrides [compute] driver.")
@pass_settings
def serve(settings: Settings, host: str | None, port: int | None, console_port: int | None, driver: str | None) -> None:
    """Run API, agent, connection service and metadata service in the foreground.

    The first start makes the state folder, the database, an administrator and a clouds.yaml, and says so. Ctrl-C or
    SIGTERM stops API and agent; VMs go on, and the next `nova-lite serve` finds them again.

    \b
    nova-lite serve                              # kvm, 127.0.0.1:8774
    nova-lite serve --driver fake --port 0       # no VMs: for tests of API clients
    nova-lite --state-path /srv/cloud serve      # another cloud beside the first
    """
    conf = settings.conf
    started = time.monotonic()
    if port == 0 and console_port is None:
        console_port = 0  # a service of its own on a machine that may have others
    overrides = (
        ("bind_host", "api", host),
        ("bind_port", "api", port),
        ("serialproxy_port", "serial_console", console_port),
        ("driver", "compute", driver),
    )
    for name, group, value in overrides:
        if value is not None:
            conf.set_override(name, value, group=group)
    try:
        log.setup(conf)
    except OSError as error:
        raise exceptions.Invalid(f"log_file {conf.log_file} cannot be written: {error.strerror}.") from error
    paths = settings.paths
    check_path_length(paths)
    if conf.compute.driver == "kvm":
        check_kvm()
    is_new = not paths.state.exists()
    paths.make()
    with (
        only_one(paths) as holder,
        listen(conf.api.bind_host, conf.api.bind_port) as listener,
        consoles_listener(settings) as consoles,
        notifications(paths) as notified,
    ):
        base_url = url_of(listener)
        console_url = [consoles_url(conf)] if consoles else []
        print(os.getpid(), base_url, *console_url, sep="\n", file=holder, flush=True)
        prepare(settings, base_url, is_new)
        agent = child(settings, "agent", "nova_lite.compute.agent")
        agent["environment"]["NOTIFY_SOCKET"] = notified.getsockname()
        children = [
            agent,
            child(settings, "API", "nova_lite.cli.api_server", "--listen-fd", listener),
            child(settings, "connection service", "nova_lite.connections", "--consoles-fd", consoles),
            *metadata_service(settings),
        ]
        foreground.become(
            foreground.Plan(
                state_path=str(paths.state),
                address=reachable(listener),
                url=base_url,
                started=started,
                lock_fd=holder.fileno(),
                notify_fd=notified.fileno(),
                log_file=conf.log_file,
                debug=conf.debug,
                children=children,
            )
        )


def check_path_length(paths: Paths) -> None:
    longest = len(os.fsencode(paths.agent_socket))
    if longest > _LONGEST_SOCKET:
        raise exceptions.Invalid(
            f"state_path {paths.state} is {longest - _LONGEST_SOCKET} bytes too long: the sockets below it must have"
            f" paths of at most {_LONGEST_SOCKET} bytes. Choose a shorter one with --state-path."
        )


def check_kvm() -> None:
    """Say what is wrong with /dev/kvm and what to do, before anything is started."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError as error:
        raise exceptions.Unavailable(
            "/dev/kvm is not there: this machine has no KVM, or its module is not loaded (as root:"
            " `modprobe kvm_intel` or `modprobe kvm_amd`; in a VM: enable nested virtualisation)."
            " Without VMs, for client tests: `nova-lite serve --driver fake`."
        ) from error
    except OSError as error:
        raise exceptions.Unavailable(
            f"/dev/kvm cannot be opened: {error.strerror}. Join its group with `sudo usermod -aG kvm $USER`, then log"
            " in again. Without VMs, for client tests: `nova-lite serve --driver fake`."
        ) from error


@contextlib.contextmanager
def only_one(paths: Paths) -> Iterator[TextIO]:
    """Hold the state folder: two services on one would drive the same VMs. Yields the file that tells who and where."""
    with open(paths.run / "serve.lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise exceptions.Conflict(
                f"Another `nova-lite serve` (process {lock.readline().strip() or 'unknown'}) runs on {paths.state}."
                " Stop it first, or give this one another --state-path."
            ) from error
        lock.truncate(0)
        yield lock


@contextlib.contextmanager
def consoles_listener(settings: Settings) -> Iterator[socket.socket | None]:
    """Where the URLs of serial consoles lead; None when they are switched off."""
    group = settings.conf.serial_console
    if not group.enabled:
        yield None
        return
    with listen(group.serialproxy_host, group.serialproxy_port, "--console-port") as listener:
        settings.conf.set_override("serialproxy_port", listener.getsockname()[1], group="serial_console")
        yield listener


def child(
    settings: Settings, name: str, module: str, option: str = "", passed: socket.socket | None = None
) -> dict[str, Any]:
    """How a process of the service is started, see foreground.Plan. ``option`` names the socket that it is passed."""
    argv = [*foreground.PYTHON, "-m", module, *config_arguments(settings)]
    pass_fds = [] if passed is None else [passed.fileno()]
    argv += [part for descriptor in pass_fds for part in (option, str(descriptor))]
    return {"name": name, "argv": argv, "environment": child_environment(settings), "pass_fds": pass_fds}


def metadata_service(settings: Settings) -> list[dict[str, Any]]:
    """The process that servers ask for their metadata; none where they have no networks."""
    network = settings.conf.network
    if not network.enabled or not network.metadata_service or settings.conf.compute.driver == "fake":
        return []
    if reason := lacking():
        LOG.warning("No metadata service, as servers get no networks: %s", reason)
        return []
    return [child(settings, "metadata service", "nova_lite.metadata.service")]


def listen(host: str, port: int, option: str = "--port") -> socket.socket:
    """A listening socket; it stays open while the process behind it is started again."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family, backlog=2048)
    except socket.gaierror as error:
        raise exceptions.Invalid(f"{host!r} is not an address of this machine: {error}.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise exceptions.Conflict(
                f"Port {port} on {host} is taken by another program (`ss -ltnp 'sport = :{port}'` shows which)."
                f" Choose another one with {option}."
            ) from error
        raise exceptions.Invalid(f"Cannot listen on {host} port {port}: {error.strerror}.") from error


def reachable(listener: socket.socket) -> tuple[str, int]:
    """Where a client on this machine reaches a listening socket."""
    host, port = listener.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port


def url_of(listener: socket.socket) -> str:
    host, port = reachable(listener)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def prepare(settings: Settings, base_url: str, is_new: bool) -> None:
    """Database, administrator, clouds.yaml: made once, said once."""
    from nova_lite.api import auth

    paths, conf = settings.paths, settings.conf
    auth.strategy(conf)  # what is wrong with its options is said here, not by a child that ends again and again
    if conf.image.service == "glance":
        check_glance(conf)
    companions = embedded.wanted(conf)
    by_password = "identity" in companions
    with open_database(settings, create=True) as database:
        password = first_start.create_admin(database) if by_password else None
    if is_new:
        click.echo(f"First start: made {paths.state}")
    tokens, clouds = token_file(settings), ""
    if conf.api.auth_strategy == "token" and not tokens.path.exists():
        token = first_start.create_admin_token(tokens)
        clouds = first_start.clouds_by_token(paths.clouds, base_url, token, companions)
        click.echo(f"  admin token  {token}")
    if password is not None:
        clouds = first_start.clouds_by_password(paths.clouds, base_url, password, conf.identity.region)
        click.echo(f"  admin        user admin, project admin, password {password}")
    if clouds:
        click.echo("               shown this once: only hashes are kept")
        if not paths.clouds.exists():
            first_start.write_clouds(paths.clouds, clouds)
            click.echo(f"  clients      export OS_CLIENT_CONFIG_FILE={paths.clouds} OS_CLOUD={first_start.CLOUD}")
    if other := first_start.endpoint_differs(paths.clouds, base_url):
        click.echo(f"Note: {paths.clouds} names {other}; this service listens on {base_url}.")


def check_glance(conf: cfg.ConfigOpts) -> None:
    """Raises Invalid when Glance cannot be spoken to, as far as the configuration tells."""
    try:
        from nova_lite.glance.client import Glance
    except ImportError as error:
        raise exceptions.Invalid(
            "[image] service = glance needs openstacksdk: pip install 'nova-lite[glance]'"
        ) from error
    Glance(conf)


def config_arguments(settings: Settings) -> list[str]:
    return [argument for path in settings.config_files for argument in ("--config-file", path)]


def child_environment(settings: Settings) -> dict[str, str]:
    """What was said on our command line, in the form in which oslo.config takes it from the environment."""
    conf = settings.conf
    return {
        **{name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"},
        "OS_DEFAULT__STATE_PATH": str(settings.paths.state),
        "OS_COMPUTE__DRIVER": conf.compute.driver,
        "OS_SERIAL_CONSOLE__SERIALPROXY_PORT": str(conf.serial_console.serialproxy_port),
        "PYTHONUNBUFFERED": "1",
    }


@contextlib.contextmanager
def notifications(paths: Paths) -> Iterator[socket.socket]:
    """The socket on which the agent says that it is ready (systemd's protocol, see nova_lite.notify)."""
    path = paths.run / "notify.sock"
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        try:
            yield receiver
        finally:
            path.unlink()
