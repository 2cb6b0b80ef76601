"""The API under gunicorn: a process of its own, started by ``nova-lite serve`` with the socket it shall answer on.

The supervisor keeps that socket open, so a restart of this process loses no connection: clients wait in the backlog.
"""

from __future__ import annotations

import argparse
import gc
from typing import Any

from gunicorn.app.base import BaseApplication
from oslo_config import cfg

from nova_lite import conf, log
from nova_lite.api import app

# Of a request, before the garbage collector looks for circles: a page of a thousand servers has about as many.
_NEW_OBJECTS = 50_000


class APIServer(BaseApplication):  # type: ignore[misc]
    """gunicorn with our options and nothing from a gunicorn.conf.py that lies about."""

    def __init__(self, options: cfg.ConfigOpts, listen_fd: int) -> None:
        self._options = options
        self._listen_fd = listen_fd
        super().__init__()

    def load_config(self) -> None:
        settings: dict[str, Any] = {
            "bind": f"fd://{self._listen_fd}",
            "proc_name": "nova-lite-api",
            "worker_class": "gthread",
            "workers": self._options.api.workers,
            "threads": self._options.api.threads,
            "timeout": 60,
            "graceful_timeout": 25,
            "keepalive": 75,  # a client's pool of connections outlives the pauses between its requests
            "preload_app": True,  # built once, shared by the workers; the database lets go of its connections at a fork
            "worker_tmp_dir": "/dev/shm",  # the workers' heartbeat must not wait for a disk
            "loglevel": "debug" if self._options.debug else "warning",
            "errorlog": self._options.log_file or "-",
            "accesslog": (self._options.log_file or "-") if self._options.debug else None,
            "control_socket_disable": True,  # or gunicorn 26 leaves a socket in the user's run folder
        }
        for name, value in settings.items():
            if name in self.cfg.settings:
                self.cfg.set(name, value)

    def load(self) -> object:
        application = app.build(self._options, warm=True)
        # What is there now stays: the collector need not look at it again, and the workers go on sharing its pages.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS)
        return application


def main() -> None:
    parser = argparse.ArgumentParser(description="The API under gunicorn; started by `nova-lite serve`.")
    parser.add_argument("--config-file", action="append", default=[])
    parser.add_argument("--listen-fd", type=int, required=True)
    arguments = parser.parse_args()
    options = conf.load(config_files=arguments.config_file or None)
    log.setup(options)
    APIServer(options, arguments.listen_fd).run()


if __name__ == "__main__":
    main()
