"""``nova-lite vm``: this host's VMs without the API, for the day when it is down."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from nova_lite import exceptions, objects
from nova_lite.cli import table
from nova_lite.cli.database import open_database
from nova_lite.cli.main import Settings, pass_settings
from nova_lite.cli.status import ping_agent
from nova_lite.cli.vms import find_vm, find_vms, running_vms, server_names
from nova_lite.compute.images import ImageStore
from nova_lite.compute.server_disks import ServerDisks
from nova_lite.db import instances as db_instances
from nova_lite.hv import console_log
from nova_lite.hv.driver import DiskSpec
from nova_lite.hv.kvm import KvmDriver
from nova_lite.hv.vmm import client
from nova_lite.volumes.store import VolumeStore


@click.group()
def vm() -> None:
    """See and stop this host's VMs without the API.

    These commands ask the VMs' own processes. A VM is given by its uuid, the beginning of it, or its server's name.
    """


@vm.command("list")
@table.json_option
@pass_settings
def list_vms(settings: Settings, as_json: bool) -> None:
    """List the VMs of this host, running or not."""
    names = server_names(settings)
    rows = [{**vars(found), "name": names.get(found.uuid)} for found in find_vms(settings.paths)]
    columns = ["uuid", "name", "state", "pid", "vcpus", "memory_mb", "detail"]
    table.show(rows, columns, as_json, f"No VMs in {settings.paths.instances}.")


@vm.command("info")
@click.argument("which", metavar="VM")
@pass_settings
def info(settings: Settings, which: str) -> None:
    """Print what the VM's process says of it: configuration, state, counters."""
    found = find_vm(settings, which)
    path = settings.paths.vmm_socket(found.uuid)
    if found.pid is None:
        raise exceptions.Conflict(f"{found.uuid} does not run.")
    try:
        document = client.request(path, "GET", "vm.info") | {"counters": client.request(path, "GET", "vm.counters")}
    except (client.VmmRefused, client.VmmUnreachable) as error:
        raise exceptions.Unavailable(f"{found.uuid}, process {found.pid}: {error}") from error
    click.echo(json.dumps({"pid": found.pid, "socket": str(path), **document}, indent=2))


@vm.command("console")
@click.argument("which", metavar="VM")
@click.option("--lines", "-n", type=click.IntRange(1), help="Only the last N lines.  [default: all that is kept]")
@pass_settings
def console(settings: Settings, which: str, lines: int | None) -> None:
    """Print what the guest wrote; also of a VM that does not run any more."""
    found = find_vm(settings, which)
    output = console_log.read_tail(settings.paths.console_log(found.uuid), console_log.MAX_CAPACITY)
    text = output.decode("utf-8", errors="replace")
    click.echo("\n".join(text.splitlines()[-lines:]) if lines else text, nl=lines is not None)


@vm.command("disks")
@click.argument("which", metavar="[VM]", required=False)
@table.json_option
@pass_settings
def disks(settings: Settings, which: str | None, as_json: bool) -> None:
    """List the disks of this host's servers: what the guest sees and what the host keeps, sizes in bytes.

    A disk whose VM is off can be looked at and taken out with `nova-lite disk check|export PATH --base BASE`.
    """
    rows: list[dict[str, object]] = []
    with open_database(settings) as database:
        host = settings.conf.host
        images = ImageStore(database, settings.paths, host)
        store = ServerDisks(settings.paths, images, VolumeStore(database, settings.paths, images, host))
        with database.read() as connection:
            servers = db_instances.of_host(connection, settings.conf.host)
            for server in servers:
                if which is None or server.uuid.startswith(which) or server.display_name == which:
                    rows += [_disk_row(server, disk) for disk in store.specs(connection, server)]
    columns = ["uuid", "name", "device", "size", "allocated", "path", "base"]
    table.show(rows, columns, as_json, "No disks.")


def _disk_row(server: objects.Instance, disk: DiskSpec) -> dict[str, object]:
    allocated = disk.path.stat().st_blocks * 512 if disk.path.exists() else None
    return {
        "uuid": server.uuid,
        "name": server.display_name,
        "device": f"/dev/{disk.device_name}",
        "size": disk.size,
        "allocated": allocated,
        "path": disk.path,
        "base": disk.backing,
    }


@vm.command("stop")
@click.argument("which", metavar="[VM]...", nargs=-1)
@click.option("--all", "all_of_them", is_flag=True, help="Every VM of this host.")
@click.option("--force", is_flag=True, help="Also while the agent runs, which may start them again.")
@pass_settings
def stop(settings: Settings, which: Sequence[str], all_of_them: bool, force: bool) -> None:
    """End VMs' processes, as pulling the plug does.

    The servers stay in the database as they are: the next `nova-lite serve` starts those again that should run. To
    stop a server for good, use the API.
    """
    if bool(which) == all_of_them:
        raise click.UsageError("Name the VMs to stop, or give --all.")
    chosen = running_vms(settings.paths) if all_of_them else [find_vm(settings, name) for name in which]
    if chosen and not force and ping_agent(settings.paths):
        raise exceptions.Conflict(
            "The agent runs and watches over these VMs: stop servers through the API, or stop `nova-lite serve` first."
            " With --force they are ended all the same."
        )
    driver = KvmDriver(settings.paths)
    for found in chosen:
        if found.pid is None:
            click.echo(f"{found.uuid} does not run.")
        else:
            driver.power_off(found.uuid)
            click.echo(f"Stopped {found.uuid} (process {found.pid}).")
    driver.close()
