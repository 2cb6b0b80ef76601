"""The connection service: the process that serves what lasts, so that no thread of the API has to.

It holds event streams and requests that wait for operations (nova_lite.events), and serial consoles with their page
(nova_lite.console). One event loop does for all of them; what waits for the database does it in threads.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import socket

from oslo_config import cfg

from nova_lite import conf as nova_lite_conf
from nova_lite import log
from nova_lite.events.service import EventService


async def _serve(conf: cfg.ConfigOpts, consoles: socket.socket | None) -> None:
    """Until SIGTERM or SIGINT, or until one part fails."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as parts:
        parts.create_task(EventService(conf).run(stop))
        if consoles is not None:
            from nova_lite.console.proxy import SerialProxy

            parts.create_task(SerialProxy(conf).run(consoles, stop))


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="nova-lite-connections",
        description="The event stream of API 3.x, and servers' serial consoles; run by `nova-lite serve`.",
    )
    parser.add_argument("--config-file", action="append", default=[])
    parser.add_argument("--consoles-fd", type=int, help="The listening socket of serial consoles; none without it.")
    arguments = parser.parse_args()
    options = nova_lite_conf.load(config_files=arguments.config_file or None)
    log.setup(options)
    logging.getLogger("websockets").setLevel(logging.ERROR)
    consoles = None if arguments.consoles_fd is None else socket.socket(fileno=arguments.consoles_fd)
    asyncio.run(_serve(options, consoles))


if __name__ == "__main__":
    main()
