"""Where log lines go and how they look: one line per event, to standard error or to ``log_file``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oslo_config import cfg  # not at run time: small processes log, too

FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"


def setup(conf: cfg.ConfigOpts) -> None:
    """Set up logging for this process as its configuration says; called once by each program."""
    begin(conf.log_file, conf.debug)


def begin(log_file: str | None, debug: bool) -> None:
    """Set up logging for a process that reads no configuration. ``log_file`` None: standard error."""
    logging.basicConfig(
        filename=log_file,
        format=FORMAT,
        level=logging.DEBUG if debug else logging.INFO,
        force=True,
    )
    # alembic tells at INFO what it always does, oslo.policy at DEBUG every caller's credentials.
    logging.getLogger("alembic").setLevel(logging.INFO if debug else logging.WARNING)
    logging.getLogger("oslo_policy").setLevel(logging.INFO)
