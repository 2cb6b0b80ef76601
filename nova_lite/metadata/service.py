"""The metadata service: http://169.254.169.254 on the bridge of every network that servers of this host are on.

A process of its own, started by ``nova-lite serve``: what guests may talk to is kept apart from what holds rights. It
keeps a socket for each bridge, bound to that bridge, and so knows the network that a guest asks from; the firewall
sees to it that a source address is the guest's own. The two say which server asks; nothing that it sends does.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import contextlib
import functools
import http
import logging
import signal
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite import exceptions, log, objects
from nova_lite.db import instances as db_instances
from nova_lite.db import networks as db_networks
from nova_lite.db.engine import Database
from nova_lite.hv.vmm import confinement
from nova_lite.metadata import connection as connections
from nova_lite.metadata import documents, facts, openstack
from nova_lite.metadata.connection import Answer, refusal
from nova_lite.network.layout import BRIDGE_PREFIX, METADATA_ADDRESS, METADATA_PORT, Network

LOG = logging.getLogger(__name__)

#: Connections that one guest may have open, and all together.
MAX_PER_GUEST, MAX_CONNECTIONS = 16, 512
_RETRY_SECONDS = 10.0  # until a bridge is tried again that could not be listened on
_BACKLOG = 64
_CAP_NET_BIND_SERVICE = 10
_IP_FREEBIND = 15  # linux/in.h
_RTMGRP_LINK = 1  # linux/rtnetlink.h


class Bridge(NamedTuple):
    """A bridge that is there; another one of the same name has another number."""

    name: str
    number: int


class MetadataService:
    """Serves the servers of ``conf.host``."""

    def __init__(self, conf: cfg.ConfigOpts) -> None:
        self._conf, self._host = conf, conf.host
        paths = nova_lite_conf.paths(conf)
        self._database = Database(conf.database.connection or f"sqlite:///{paths.database}", durable=False)
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="metadata")
        self._listeners: dict[Bridge, asyncio.Server] = {}
        self._open: collections.Counter[tuple[str, str]] = collections.Counter()
        # One question of a guest at a time: what it asks for then costs other guests no more than their turn.
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}
        self._links_changed = asyncio.Event()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE) as links:
            links.bind((0, _RTMGRP_LINK))
            loop.add_reader(links, self._drain, links)
            follower = asyncio.create_task(self._follow())
            stopped = asyncio.create_task(stop.wait())
            await asyncio.wait({follower, stopped}, return_when=asyncio.FIRST_COMPLETED)
            loop.remove_reader(links)
            for task in (follower, stopped):
                task.cancel()
            await asyncio.gather(stopped, return_exceptions=True)
        for listener in self._listeners.values():
            listener.close()
        self._threads.shutdown()
        self._database.close()
        with contextlib.suppress(asyncio.CancelledError):
            await follower  # it ends by itself only by an exception

    def _drain(self, links: socket.socket) -> None:
        """Whatever the kernel told (or had to leave out: ENOBUFS), links have to be looked at."""
        with contextlib.suppress(OSError):
            while links.recv(1 << 16):
                continue
        self._links_changed.set()

    async def _follow(self) -> None:
        """Listen on the bridges of our networks, as they come and go."""
        seen: set[Bridge] | None = None
        while True:
            self._links_changed.clear()
            there = {Bridge(name, number) for number, name in socket.if_nameindex() if name.startswith(BRIDGE_PREFIX)}
            settled = True
            if there != seen:
                settled = await self._listen(there)
                seen = there if settled else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if settled else _RETRY_SECONDS):
                    await self._links_changed.wait()

    async def _listen(self, there: set[Bridge]) -> bool:
        """Have a socket on each bridge of ours and on no other; False when one has to be tried again."""
        for bridge in self._listeners.keys() - there:
            self._listeners.pop(bridge).close()
        try:
            networks = await self._in_thread(self._networks)
        except exceptions.NovaLiteError as error:
            LOG.warning("The networks of this host cannot be read: %s", error)
            return False
        complete = True
        for bridge in sorted(there - self._listeners.keys()):
            if bridge.name not in networks:
                continue  # another service's
            try:
                listener = _listener(bridge.name)
            except OSError as error:
                LOG.error("Metadata cannot be served on %s: %s", bridge.name, error.strerror)
                complete = False
                continue
            serve = functools.partial(self._serve, networks[bridge.name])
            self._listeners[bridge] = await asyncio.start_server(serve, sock=listener, backlog=_BACKLOG)
            LOG.info("Metadata is served on %s", bridge.name)
        return complete

    def _networks(self) -> dict[str, objects.Network]:
        """The networks of this host by their bridges."""
        with self._database.read() as connection:
            found = [network for network in db_networks.list_(connection) if network.host == self._host]
        return {Network(n.id, n.cidr, n.gateway_ip).bridge: n for n in found}

    async def _serve(
        self, network: objects.Network, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """One connection of a guest."""
        peer = writer.get_extra_info("peername")
        guest = (network.id, peer[0] if peer else "")
        if not peer or self._open[guest] >= MAX_PER_GUEST or self._open.total() >= MAX_CONNECTIONS:
            writer.transport.abort()
            return
        self._open[guest] += 1
        turn = self._turns.setdefault(guest, asyncio.Lock())

        async def handler(request: connections.Request) -> Answer:
            answer = self._answer if request.posted is None else self._keep_password
            async with turn:
                return await self._in_thread(answer, network, guest[1], request)

        try:
            await connections.serve(reader, writer, handler)
        finally:
            self._open[guest] -= 1
            if not self._open[guest]:
                del self._open[guest], self._turns[guest]
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(connections.WITHIN):
                    await writer.wait_closed()
            writer.transport.abort()

    def _answer(self, network: objects.Network, address: str, request: connections.Request) -> Answer:
        try:
            with self._database.read() as connection:
                instance = db_instances.at_address(connection, self._host, network, address)
                known = facts.load(connection, self._conf, instance) if instance is not None else None
        except (exceptions.NovaLiteError, facts.VendorDataError) as error:
            LOG.error("The metadata of %s cannot be read: %s", address, error)
            return refusal(http.HTTPStatus.SERVICE_UNAVAILABLE)
        found = documents.lookup(known, request.path) if known is not None else None
        if found is None:
            return refusal(http.HTTPStatus.NOT_FOUND)
        return Answer(http.HTTPStatus.OK, found.body, found.media_type)

    def _keep_password(self, network: objects.Network, address: str, request: connections.Request) -> Answer:
        """Note the password that a guest has made for its owner; once, until the owner clears it."""
        if not documents.is_password(request.path):
            return refusal(http.HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD"))
        try:
            password = (request.posted or b"").decode("ascii").strip()
        except UnicodeDecodeError:
            return refusal(http.HTTPStatus.BAD_REQUEST)
        if not password.isprintable():
            return refusal(http.HTTPStatus.BAD_REQUEST)
        try:
            with self._database.write() as connection:
                found = db_instances.at_address(connection, self._host, network, address)
                instance = db_instances.get(connection, found.uuid, for_update=True) if found is not None else None
                if instance is None:
                    return refusal(http.HTTPStatus.NOT_FOUND)
                if instance.system_metadata.get(openstack.PASSWORD):
                    return refusal(http.HTTPStatus.CONFLICT)
                notes = instance.system_metadata | {openstack.PASSWORD: password}
                db_instances.update(connection, instance.uuid, {"system_metadata": notes})
        except exceptions.NovaLiteError as error:
            LOG.error("The password of %s cannot be kept: %s", address, error)
            return refusal(http.HTTPStatus.SERVICE_UNAVAILABLE)
        return Answer(http.HTTPStatus.OK, b"")

    async def _in_thread(self, function, *arguments):  # type: ignore[no-untyped-def]
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)


def _listener(bridge: str) -> socket.socket:
    """A socket that hears what arrives by ``bridge`` alone. OSError when there can be none."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bridge.encode())
        listener.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)  # the bridge may be about to get its address
        listener.bind((METADATA_ADDRESS, METADATA_PORT))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="nova-lite-metadata", description="Servers' metadata at 169.254.169.254; run by `nova-lite serve`."
    )
    parser.add_argument("--config-file", action="append", default=[])
    arguments = parser.parse_args()
    options = nova_lite_conf.load(config_files=arguments.config_file or None)
    log.setup(options)
    confinement.drop_privileges(keep=(_CAP_NET_BIND_SERVICE,))
    asyncio.run(MetadataService(options).run())


if __name__ == "__main__":
    main()
