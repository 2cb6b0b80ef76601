"""Where clients reach the serial proxy."""

from __future__ import annotations

from oslo_config import cfg


def base_url(conf: cfg.ConfigOpts) -> str:
    """``[serial_console] base_url``, or what follows from where the proxy listens."""
    group = conf.serial_console
    if group.base_url:
        return str(group.base_url)
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(group.serialproxy_host, group.serialproxy_host)
    return f"ws://[{host}]:{group.serialproxy_port}/" if ":" in host else f"ws://{host}:{group.serialproxy_port}/"
