"""vmm.json: what the driver knows of a VM's process, on disk for the driver that comes after it.

It is written before the process starts (without pid) and completed after. It is a second witness: the first is the lock
beside the socket, which the kernel drops when the process dies. A record from an earlier boot of the host, of a pid
that someone else bears now, or cut off in the middle, says nothing.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

LOG = logging.getLogger(__name__)

_NAME = "vmm.json"


@dataclass(frozen=True)
class Record:
    """``pid`` and ``start_time`` are 0 while the process is only intended."""

    uuid: str
    boot_id: str
    pid: int = 0
    start_time: int = 0


def write(folder: Path, record: Record) -> None:
    """Replace the record, on disk before this returns."""
    draft = folder / f".{_NAME}"
    with open(draft, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        json.dump(asdict(record), file)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(folder / _NAME)


def read(folder: Path) -> Record | None:
    """The record; None when there is none that can be read."""
    try:
        document = json.loads((folder / _NAME).read_bytes())
        record = Record(**document)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        LOG.warning("The VMM record in %s cannot be read and is ignored", folder)
        return None
    numbers = (record.pid, record.start_time)
    if not all(isinstance(number, int) and 0 <= number < 1 << 62 for number in numbers):
        LOG.warning("The VMM record in %s names an impossible process and is ignored", folder)
        return None
    return record


def remove(folder: Path) -> None:
    (folder / _NAME).unlink(missing_ok=True)
