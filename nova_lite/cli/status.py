"""``nova-lite status``: what of the service runs on this host, each part asked itself."""

from __future__ import annotations

import fcntl
import json
import urllib.request
from typing import Any

import click

from nova_lite import __version__
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.vms import find_vms
from nova_lite.compute.node_client import NodeClient, NodeError, NodeUnavailable
from nova_lite.hv.host import kvm_kind
from nova_lite.paths import Paths


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
@pass_settings
def status(settings: Settings, as_json: bool) -> None:
    """Tell what runs on this host: service, agent, API, VMs, and their versions.

    Exit code 1 when agent or API do not answer.
    """
    serving, api = serving_process(settings.paths), settings.conf.api
    facts = {
        "version": __version__,
        "state_path": str(settings.paths.state),
        "kvm": kvm_kind(),
        "serve": serving["pid"] if serving else None,
        "agent": ping_agent(settings.paths),
        "api": _ask_api(serving["url"] if serving else f"http://{api.bind_host}:{api.bind_port}"),
        "consoles": serving["consoles"] if serving else None,
        "vms": _count_vms(settings.paths),
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for name, value in facts.items():
            click.echo(f"{name:11} {_words(value)}")
    click.get_current_context().exit(0 if facts["agent"] and facts["api"] else 1)


def ping_agent(paths: Paths) -> dict[str, Any] | None:
    """What the agent of this state folder says of itself; None when none answers."""
    client = NodeClient(paths.agent_socket, timeout=2.0)
    try:
        return client.call("Agent.ping", {})
    except (NodeUnavailable, NodeError):
        return None
    finally:
        client.close()


def serving_process(paths: Paths) -> dict[str, Any] | None:
    """Process id and URLs of the `nova-lite serve` that holds this state folder; None when none does."""
    try:
        with open(paths.run / "serve.lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                pid, url, *consoles = lock.read().split()
                return {"pid": int(pid), "url": url, "consoles": consoles[0] if consoles else None}
    except (FileNotFoundError, ValueError):
        return None
    return None


def get_json(url: str, timeout: float) -> Any:
    """The document at ``url`` of this host, whatever proxy the environment names for others."""
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=timeout) as answer:
        return json.load(answer)


def _ask_api(url: str) -> dict[str, Any] | None:
    try:
        versions = get_json(url + "/", timeout=2.0)["versions"]
        return {"url": url, "versions": [entry["version"] for entry in versions]}
    except (OSError, ValueError, KeyError, TypeError):
        return None  # nobody listens there, or somebody else does


def _count_vms(paths: Paths) -> dict[str, int]:
    counts: dict[str, int] = {}
    for vm in find_vms(paths):
        counts[vm.state] = counts.get(vm.state, 0) + 1
    return counts


def _words(value: object) -> str:
    if value is None:
        return click.style("does not run", fg="yellow")
    if isinstance(value, dict):
        pairs = (f"{name} {','.join(item) if isinstance(item, list) else item}" for name, item in value.items())
        return ", ".join(pairs) or "none"
    return f"process {value}" if isinstance(value, int) else str(value)
