"""What a suspended server leaves on disk: the machine that its VMM saved, until another goes on from there.

Memory and disks belong together: whatever starts the server otherwise, or writes to its disks, has to forget this.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from nova_lite.hv.driver import DriverError

#: MiB of memory that the slowest disk takes in a second.
SLOWEST = 10
_GONE = "What the server had in memory when it was suspended is gone; a hard reboot starts it anew."


def config(saved: Path, cards: dict[str, Any]) -> dict[str, Any]:
    """The VmConfig to go on with: as it was saved, the network cards as they are opened now (``vm_config.taps``).

    :raises DriverError: nothing was saved, or the server has other cards than it had then.
    """
    try:
        document: dict[str, Any] = json.loads((saved / "config.json").read_bytes())
    except (OSError, ValueError) as error:
        raise DriverError(_GONE) from error
    now = {card["id"]: card for card in cards.get("net", ())}
    then = [card["id"] for card in document.get("net", ())]
    if set(then) != now.keys():
        raise DriverError("The server's network cards are not those that it had when it was suspended.")
    return document | ({"net": [now[name] for name in then]} if then else {})


def forget(saved: Path) -> None:
    """Remove what was saved, if anything was.

    :raises DriverError: it cannot be removed.
    """
    try:
        if saved.is_dir():
            shutil.rmtree(saved)
    except OSError as error:
        raise DriverError(f"What was saved of the server cannot be removed: {error.strerror}.") from error
