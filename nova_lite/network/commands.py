"""Running the host's own tools (ip, bridge, nft) in the network namespace of this process."""

from __future__ import annotations

import os
import subprocess

_TIMEOUT = 20.0
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


class NetworkError(Exception):
    """The host's network could not be set up. ``str(error)`` is a sentence that an operator may read."""


def run(arguments: list[str], script: str = "") -> str:
    """What a tool printed. :raises NetworkError: it is not there, failed, or took too long."""
    environment = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:{_PATH}", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            arguments, input=script, capture_output=True, text=True, timeout=_TIMEOUT, env=environment, check=False
        )
    except FileNotFoundError as error:
        raise NetworkError(f"{arguments[0]} is not installed.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NetworkError(f"{arguments[0]} cannot be run: {error}.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise NetworkError(f"{' '.join(arguments[:3])}: {lines[0].strip() if lines else 'failed without a word'}")
    return done.stdout
