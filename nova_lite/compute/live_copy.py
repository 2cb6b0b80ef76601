"""A copy of a disk as it is at one moment, while its machine goes on: most of it is copied under the running guest, and
what that has written meanwhile once more, round by round. The machine stands still for the little that is left then.

What is left depends on how fast the guest writes, not on the disk's size. Machines that cannot tell what they write
stand still for the whole copy.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from nova_lite.hv.driver import Driver, DriverError, MachineNotFound, PowerState
from nova_lite.volumes.store import copy_with_holes

LOG = logging.getLogger(__name__)

#: So much may be left when the machine is stopped, in bytes; of a guest that writes faster than it is copied, what is
#: left after so many rounds.
_LITTLE = 4 << 20
_ROUNDS = 10


def copy_disk(
    driver: Driver,
    server_id: str,
    device_name: str,
    source: Path,
    target: int,
    goes_on: bool,
    data_offset: int = 0,
) -> None:
    """Copy the file of a disk, raw or an overlay, into an empty file. May be cut off and begun anew with another one.

    :param device_name: as the guest knows it, without /dev/.
    :param goes_on: whether the machine is to run afterwards; it may stand since an attempt that was cut off.
    :param data_offset: where the disk's first byte lies in the file; what is before that is copied as well.
    :raises DriverError: the machine does not answer. Raises OSError.
    """
    with open(source, "rb") as file:
        try:
            if _state(driver, server_id) is PowerState.RUNNING:
                _copy_live(driver, server_id, device_name, file.fileno(), target, goes_on, data_offset)
                return
        except DriverError as error:  # it has ended, or its VMM is older than this
            LOG.info("Server %s stands still while its disk is copied: %s", server_id, error)
            os.ftruncate(target, 0)
        with standing_still(driver, server_id, goes_on):
            copy_with_holes(file.fileno(), target)


def _copy_live(
    driver: Driver, server_id: str, device_name: str, file: int, target: int, goes_on: bool, begins: int
) -> None:
    part_size = driver.log_disk(server_id, device_name, True)
    try:
        copy_with_holes(file, target)
        before = None
        for _ in range(_ROUNDS):
            os.fdatasync(file)  # or the machine would stand still for that
            copied = _copy_written(driver, server_id, device_name, part_size, file, target, begins)
            if copied <= _LITTLE or (before is not None and copied >= before):
                break
            before = copied
        os.fdatasync(file)
        with standing_still(driver, server_id, goes_on):
            _copy_written(driver, server_id, device_name, part_size, file, target, begins)
            _copy_range(file, target, 0, begins)
    finally:
        with contextlib.suppress(DriverError):  # it goes with the machine at the latest
            driver.log_disk(server_id, device_name, False)


@contextlib.contextmanager
def standing_still(driver: Driver, server_id: str, goes_on: bool) -> Iterator[None]:
    """Hold a server's machine, if one is on. Raises DriverError."""
    found = _state(driver, server_id)
    began = time.monotonic()
    if found is PowerState.RUNNING:
        driver.pause(server_id)
    try:
        yield
    finally:
        if goes_on and found in (PowerState.RUNNING, PowerState.PAUSED):
            driver.resume(server_id)
            LOG.info("Server %s stood still for %.0f ms", server_id, 1000 * (time.monotonic() - began))


def _state(driver: Driver, server_id: str) -> PowerState:
    try:
        return driver.info(server_id).power_state
    except MachineNotFound:
        return PowerState.SHUTDOWN


def _copy_written(
    driver: Driver, server_id: str, device_name: str, part_size: int, file: int, target: int, begins: int
) -> int:
    """Copy what was written since it was asked last; how many bytes."""
    copied = 0
    for start, end in _runs(driver.written_parts(server_id, device_name)):
        copied += _copy_range(file, target, begins + start * part_size, begins + end * part_size)
    return copied


def _runs(parts: bytes) -> Iterator[tuple[int, int]]:
    """First and last (not included) of the bits that are set, the lowest of each byte first."""
    bits = int.from_bytes(parts, "little")
    at = 0
    while bits:
        skipped = (bits & -bits).bit_length() - 1
        bits >>= skipped
        length = (~bits & (bits + 1)).bit_length() - 1
        bits >>= length
        yield at + skipped, at + skipped + length
        at += skipped + length


def _copy_range(file: int, target: int, start: int, end: int) -> int:
    """Also its holes, as zeros: something may lie there in the copy."""
    end = min(end, os.fstat(file).st_size)
    at = start
    while at < end and (copied := os.copy_file_range(file, target, end - at, at, at)):
        at += copied
    return max(at - start, 0)
