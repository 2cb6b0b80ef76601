"""Where log lines go and how they look: one line per event, to standard error or to ``log_file``."""

from __future__ import annotations

import logging

from oslo_config import cfg

FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s %(message)s"


def setup(conf: cfg.ConfigOpts) -> None:
    """Set up logging for this process; called once by each program."""
    logging.basicConfig(
        filename=conf.log_file,
        format=FORMAT,
        level=logging.DEBUG if conf.debug else logging.INFO,
        force=True,
    )
    # alembic tells at INFO what it always does, oslo.policy at DEBUG every caller's credentials.
    logging.getLogger("alembic").setLevel(logging.INFO if conf.debug else logging.WARNING)
    logging.getLogger("oslo_policy").setLevel(logging.INFO)
