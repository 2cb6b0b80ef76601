"""Every option of the service, in oslo.config's form; ``etc/nova-lite.conf`` is generated from here.

There is no global configuration: ``load`` returns a ConfigOpts and each layer is given what it needs.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg
from oslo_policy import opts as policy_opts

from nova_lite import companion_opts
from nova_lite.paths import Paths


def _default_state_path() -> str:
    if os.geteuid() == 0:
        return "/var/lib/nova-lite"
    data_home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return str(Path(data_home) / "nova-lite")


DEFAULT_OPTS = [
    cfg.StrOpt(
        "state_path",
        default=_default_state_path(),
        sample_default="/var/lib/nova-lite (root) or ~/.local/share/nova-lite",
        help="Folder of everything that must outlive a restart: database, images, tokens, servers.",
    ),
    cfg.StrOpt(
        "host",
        default=socket.gethostname(),
        sample_default="<hostname>",
        help="Name of this host in every row that belongs to it. Do not change it while servers exist.",
    ),
    cfg.BoolOpt("debug", default=False, help="Log at DEBUG."),
    cfg.StrOpt("log_file", help="File for the log; standard error when unset."),
    cfg.BoolOpt("force_config_drive", default=False, help="Give every new server a config drive, asked for or not."),
]

API_OPTS = [
    cfg.HostAddressOpt("bind_host", default="127.0.0.1", help="Address the API listens on."),
    cfg.PortOpt("bind_port", default=8774, help="Port the API listens on."),
    cfg.IntOpt("workers", default=2, min=1, help="API worker processes."),
    cfg.IntOpt("threads", default=4, min=1, help="Threads in each API worker."),
    cfg.StrOpt(
        "auth_strategy",
        default="token",
        choices=[
            ("token", "a file of hashed tokens, see `nova-lite token`, and passwords, see group [identity]"),
            ("keystone", "tokens of a Keystone, see group [keystone_authtoken]; needs nova-lite[keystone]"),
            ("noauth2", "for tests only: the token says who the caller is"),
        ],
        help="How a caller proves who it is.",
    ),
    cfg.StrOpt("tokens_file", help="File of hashed tokens; <state_path>/tokens.yaml when unset."),
    cfg.IntOpt("max_request_body_size", default=114688, min=1024, help="Largest request body, in bytes."),
    cfg.IntOpt("max_limit", default=1000, min=1, help="Most items in one page of a listing."),
    cfg.StrOpt(
        "endpoint_url",
        help="Base of the links in answers, when a proxy stands in front; unset: the request's Host header.",
    ),
    cfg.BoolOpt("enable_instance_password", default=True, help="Return adminPass where Nova does."),
    cfg.StrOpt(
        "dhcp_domain",
        default="novalocal",
        regex=r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*|",
        help="Domain of servers, after their host names in metadata and in the networks' DNS; empty for none.",
    ),
    cfg.StrOpt(
        "vendordata_jsonfile_path", help="File with a JSON object that every server finds in its vendor_data.json."
    ),
]

DATABASE_OPTS = [
    cfg.StrOpt(
        "connection",
        secret=True,
        help="SQLAlchemy URL (sqlite:///… or postgresql+pg8000://…); <state_path>/nova-lite.db when unset.",
    ),
]

COMPUTE_OPTS = [
    cfg.StrOpt(
        "driver",
        default="kvm",
        choices=[("kvm", "real VMs on /dev/kvm"), ("fake", "no VMs: for tests of API clients")],
        help="What runs the servers.",
    ),
    cfg.IntOpt("parallel_operations", default=4, min=1, help="Servers the agent works on at the same time."),
    cfg.BoolOpt(
        "resume_guests_state_on_host_boot",
        default=True,
        help="Start again the servers that should run but whose VM is gone (host reboot, killed VMM).",
    ),
    cfg.IntOpt(
        "shutdown_timeout",
        default=60,
        min=0,
        max=86400,
        help="Seconds that a guest has to power itself off when it is to stop or reboot, before its VM is ended; 0 "
        "asks none. The image property os_shutdown_timeout goes before it. Guests that cannot hear a power button are "
        "not waited for.",
    ),
    cfg.IntOpt(
        "resize_confirm_window",
        default=0,
        min=0,
        help="Seconds after which a resize that nobody confirmed or reverted is confirmed; 0 for never.",
    ),
    cfg.FloatOpt(
        "space_check_interval",
        default=10.0,
        min=0.1,
        help="Seconds between looks at the room that the host has for what guests write.",
    ),
    cfg.IntOpt("max_image_disk_gb", default=1024, min=1, help="Largest disk that an image may hold, in GiB."),
    cfg.IntOpt(
        "max_local_block_devices",
        default=3,
        min=-1,
        help="Local disks that a request for a server may list, its root disk among them; -1 is unlimited.",
    ),
    cfg.IntOpt(
        "reclaim_instance_interval",
        default=0,
        min=0,
        help="Seconds that a deleted server can still be restored, switched off and hidden; 0 deletes at once.",
    ),
    cfg.IntOpt(
        "shelved_offload_time",
        default=0,
        min=-1,
        help="Seconds that a shelved server keeps its files on its host; 0 takes them away at once, -1 never.",
    ),
    cfg.IntOpt(
        "shelved_poll_interval",
        default=3600,
        min=1,
        help="Seconds between looks for shelved servers whose time on their host is over.",
    ),
    cfg.IntOpt("console_log_size", default=131072, min=4096, help="Bytes of console output kept per server."),
    cfg.IntOpt("service_down_time", default=60, min=2, help="Seconds without a heartbeat until a service is down."),
    cfg.FloatOpt("cpu_allocation_ratio", default=16.0, min=0.1, help="vCPUs allotted per host CPU."),
    cfg.FloatOpt("ram_allocation_ratio", default=1.5, min=0.1, help="MiB allotted per MiB of host memory."),
    cfg.StrOpt(
        "default_availability_zone",
        default="nova",
        help="The availability zone of hosts that no aggregate puts into one.",
    ),
]

KVM_OPTS = [
    cfg.StrOpt(
        "firmware",
        help="A PVH ELF file (as rust-hypervisor-firmware is) that boots the disks of images without a kernel; unset: "
        "kernel, initramfs and command line are read from the disks.",
    ),
]

NETWORK_OPTS = [
    cfg.BoolOpt(
        "enabled",
        default=True,
        help="Give servers networks of this host: bridges, taps, nftables, dnsmasq. Needs CAP_NET_ADMIN.",
    ),
    cfg.BoolOpt(
        "metadata_service",
        default=True,
        help="Serve servers on these networks their metadata at http://169.254.169.254.",
    ),
    cfg.StrOpt(
        "default_cidr",
        help="IPv4 range of the network that the first start makes; unset: one that meets nothing on this host.",
    ),
    cfg.StrOpt(
        "run_path",
        default="/run/nova-lite",
        help="Folder for dnsmasq's files, which the user nobody must be able to read.",
    ),
    cfg.FloatOpt(
        "check_interval",
        default=10.0,
        min=0.1,
        help="Seconds between looks at bridges, taps, rules and dnsmasq; what is missing is made again.",
    ),
    cfg.StrOpt(
        "floating_range",
        default="172.24.4.0/24",
        help="IPv4 range of the external network `public` that the first start makes, for floating IPs; empty: none.",
    ),
    cfg.BoolOpt(
        "floating_routed",
        default=False,
        help="The outside has a route to floating IPs through this host: a server that has one is seen there under it. "
        "Else it is seen under the host's own address.",
    ),
    cfg.ListOpt(
        "project_ranges",
        default=["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"],
        help="IPv4 ranges in which projects may make subnets. Name none that this host finds others in.",
    ),
    *(
        cfg.IntOpt(f"quota_{name}", default=default, min=-1, help=f"{what} per project; -1 is unlimited.")
        for name, default, what in (
            ("network", 100, "Networks"),
            ("subnet", 100, "Subnets"),
            ("port", 500, "Ports"),
            ("router", 10, "Routers"),
            ("floatingip", 50, "Floating IPs"),
            ("security_group", 10, "Security groups"),
            ("security_group_rule", 100, "Rules of security groups"),
        )
    ),
]

QUOTA_OPTS = [
    cfg.IntOpt("instances", default=10, min=-1, help="Servers per project; -1 is unlimited."),
    cfg.IntOpt("cores", default=20, min=-1, help="vCPUs per project; -1 is unlimited."),
    cfg.IntOpt("ram", default=51200, min=-1, help="MiB of memory per project; -1 is unlimited."),
    cfg.IntOpt("metadata_items", default=128, min=-1, help="Metadata items per server; -1 is unlimited."),
    cfg.IntOpt("key_pairs", default=100, min=-1, help="Keypairs per user; -1 is unlimited."),
    cfg.IntOpt("server_groups", default=10, min=-1, help="Server groups per project; -1 is unlimited."),
    cfg.IntOpt("server_group_members", default=10, min=-1, help="Members per server group; -1 is unlimited."),
    cfg.IntOpt("volumes", default=10, min=-1, help="Volumes per project; -1 is unlimited."),
    cfg.IntOpt("snapshots", default=10, min=-1, help="Snapshots of volumes per project; -1 is unlimited."),
    cfg.IntOpt("gigabytes", default=1000, min=-1, help="GiB of volumes and snapshots per project; -1 is unlimited."),
    cfg.IntOpt("injected_files", default=5, min=-1, help="Files (personality) per server; -1 is unlimited."),
    cfg.IntOpt(
        "injected_file_content_bytes", default=10240, min=-1, help="Bytes of base64 per such file; -1 is unlimited."
    ),
    cfg.IntOpt(
        "injected_file_path_length", default=255, min=-1, help="Characters of such a file's path; -1 is unlimited."
    ),
]

SERIAL_CONSOLE_OPTS = [
    cfg.BoolOpt("enabled", default=True, help="Give out URLs of serial consoles, and run the proxy behind them."),
    cfg.StrOpt(
        "base_url",
        help="URL of the serial proxy for clients, ws:// or wss://; unset: what follows from where it listens. Set it "
        "when a TLS proxy stands in front.",
    ),
    cfg.HostAddressOpt("serialproxy_host", default="127.0.0.1", help="Address that the serial proxy listens on."),
    cfg.PortOpt("serialproxy_port", default=6083, help="Port that the serial proxy listens on."),
]

CONSOLEAUTH_OPTS = [
    cfg.IntOpt("token_ttl", default=600, min=0, help="Seconds that the URL of a console can be used."),
    cfg.BoolOpt(
        "enforce_session_timeout", default=False, help="End console connections, too, when their token expires."
    ),
]

CONSOLE_OPTS = [
    cfg.ListOpt(
        "allowed_origins",
        default=[],
        help="Host names, besides the proxy's own, of web pages that may open consoles.",
    ),
    cfg.IntOpt("max_connections", default=1000, min=1, help="Consoles that the proxy keeps open at once."),
    cfg.IntOpt(
        "ping_interval",
        default=20,
        min=1,
        help="Seconds between the proxy's pings. A client that leaves one unanswered for 20 seconds is let go.",
    ),
]

EVENTS_OPTS = [
    cfg.IntOpt("kept", default=10000, min=0, help="Events kept for clients that come back (GET /v3/events)."),
    cfg.IntOpt(
        "session_time",
        default=3600,
        min=1,
        help="Seconds until a stream of events ends. Its client comes back by itself, goes on where it was, and shows "
        "then that its token is still good.",
    ),
    cfg.IntOpt("heartbeat", default=15, min=1, help="Seconds of silence in a stream after which it says where it is."),
    cfg.IntOpt(
        "max_connections", default=1000, min=1, help="Streams and requests that wait for operations, open at once."
    ),
]

IDENTITY_OPTS = [
    cfg.BoolOpt(
        "enabled",
        default=True,
        help="Serve Identity v3 below /identity: users with passwords, projects, roles, a catalog. With [api] "
        "auth_strategy = token only. Without it callers come with tokens of the token file.",
    ),
    cfg.IntOpt("token_expiration", default=3600, min=1, help="Seconds that a token of the embedded service is good."),
    cfg.StrOpt("region", default="RegionOne", help="The region in the catalog."),
]

_GROUPS: list[tuple[str | None, Sequence[cfg.Opt]]] = [
    (None, DEFAULT_OPTS),
    ("api", API_OPTS),
    ("database", DATABASE_OPTS),
    ("compute", COMPUTE_OPTS),
    ("kvm", KVM_OPTS),
    ("network", [*companion_opts.NETWORK_OPTS, *NETWORK_OPTS]),
    ("quota", QUOTA_OPTS),
    ("serial_console", SERIAL_CONSOLE_OPTS),
    ("consoleauth", CONSOLEAUTH_OPTS),
    ("console", CONSOLE_OPTS),
    ("events", EVENTS_OPTS),
    ("identity", IDENTITY_OPTS),
    ("image", companion_opts.IMAGE_OPTS),
    ("volume", companion_opts.VOLUME_OPTS),
    ("glance", companion_opts.GLANCE_OPTS),
]


def list_opts() -> list[tuple[str, Sequence[cfg.Opt]]]:
    """Entry point ``oslo.config.opts``: what oslo-config-generator writes into etc/nova-lite.conf."""
    documented = dict(_GROUPS) | companion_opts.DOCUMENTED
    return [(group or "DEFAULT", opts) for group, opts in documented.items()]


def new() -> cfg.ConfigOpts:
    """A ConfigOpts with every option registered and nothing read yet."""
    conf = cfg.ConfigOpts()
    for group, opts in [*_GROUPS, *policy_opts.list_opts()]:
        conf.register_opts(opts, group=group)
    return conf


def load(args: Sequence[str] = (), config_files: Sequence[str] | None = None) -> cfg.ConfigOpts:
    """Read the configuration.

    :param args: oslo.config command line (``--config-file`` …), without the program's name.
    :param config_files: files to read; [] for none; None for /etc/nova-lite/nova-lite.conf where it exists.
    :raises cfg.Error: a file cannot be read or holds a value that its option does not take.
    """
    conf = new()
    if config_files is None:
        default = "/etc/nova-lite/nova-lite.conf"
        config_files = [default] if os.path.exists(default) else []
    conf(list(args), project="nova-lite", default_config_files=list(config_files))
    for group, opts in _GROUPS:
        for opt in opts:  # a value is parsed when it is asked for: ask now, not in the middle of a request
            getattr(conf if group is None else conf[group], opt.dest)
    return conf


def network_run_path(conf: cfg.ConfigOpts) -> Path:
    return Path(conf.network.run_path)


def paths(conf: cfg.ConfigOpts) -> Paths:
    return Paths(conf.state_path)
