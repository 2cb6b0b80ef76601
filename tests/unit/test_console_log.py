"""The console log's ring file: reading what a writer left, and surviving what it should never have left."""

from __future__ import annotations

import os
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nova_lite.hv import console_log

CAPACITY = 4096
HEADER = struct.Struct("<8sQQQ")


def ring_of(total: int, begun: int | None = None, capacity: int = CAPACITY, magic: bytes = console_log.MAGIC) -> bytes:
    """A ring file whose byte at position p is p % 251, as a writer leaves it after ``total`` bytes."""
    ring = bytearray(CAPACITY)
    for position in range(max(0, total - CAPACITY), total):
        ring[position % CAPACITY] = position % 251
    header = HEADER.pack(magic, capacity, total, total if begun is None else begun)
    return header.ljust(console_log.HEADER_SIZE, b"\0") + bytes(ring)


def positions(start: int, end: int) -> bytes:
    return bytes(position % 251 for position in range(start, end))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "console.log"


def test_a_new_log_is_empty_and_allocated_in_full(path):
    console_log.create(path, CAPACITY)
    assert console_log.read_tail(path, 100) == b""
    status = path.stat()
    assert status.st_size == CAPACITY + console_log.HEADER_SIZE
    assert status.st_blocks * 512 >= status.st_size


def test_a_log_that_does_not_exist_is_empty(path):
    assert console_log.read_tail(path, 100) == b""


@pytest.mark.parametrize("total", [1, CAPACITY - 1, CAPACITY, CAPACITY + 1, 3 * CAPACITY + 17])
@pytest.mark.parametrize("wanted", [1, 100, CAPACITY, 10 * CAPACITY])
def test_the_tail_is_the_last_bytes_in_order(path, total, wanted):
    path.write_bytes(ring_of(total))
    start = max(0, total - min(wanted, CAPACITY))
    assert console_log.read_tail(path, wanted) == positions(start, total)


def test_nothing_is_read_when_nothing_is_wanted(path):
    path.write_bytes(ring_of(100))
    assert console_log.read_tail(path, 0) == console_log.read_tail(path, -5) == b""


def test_bytes_that_a_writer_may_be_overwriting_are_left_out(path):
    total = 2 * CAPACITY
    path.write_bytes(ring_of(total, begun=total + 1000))
    assert console_log.read_tail(path, CAPACITY) == positions(total - CAPACITY + 1000, total)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"NLCONS1\0",
        b"x" * 10_000,
        ring_of(100, magic=b"NLCONS2\0"),
        ring_of(100, capacity=0),
        ring_of(100, capacity=CAPACITY + 1),
        ring_of(100, capacity=1 << 62),
        ring_of(100)[:-1],
        ring_of(0)[:24] + b"\xff" * 16,
        HEADER.pack(console_log.MAGIC, CAPACITY, (1 << 64) - 1, (1 << 64) - 1).ljust(CAPACITY + 64, b"\0"),
    ],
)
def test_a_file_that_is_no_ring_reads_as_empty(path, content):
    path.write_bytes(content)
    assert console_log.read_tail(path, 1 << 20) == b""


@given(header=st.binary(min_size=32, max_size=32), wanted=st.integers(-1, 1 << 70))
@settings(max_examples=60, deadline=None)
def test_no_header_makes_the_reader_fail_or_read_too_much(tmp_path_factory, header, wanted):
    path = tmp_path_factory.getbasetemp() / "hostile.log"
    for start in (
        header,
        console_log.MAGIC + header[8:],
        HEADER.pack(console_log.MAGIC, CAPACITY, 0, 0)[:16] + header[16:],
    ):
        path.write_bytes(start.ljust(console_log.HEADER_SIZE + CAPACITY, b"\0"))
        assert len(console_log.read_tail(path, wanted)) <= CAPACITY


def test_neither_links_nor_pipes_nor_folders_are_followed(path, tmp_path):
    os.mkfifo(path)
    assert console_log.read_tail(path, 100) == b""
    assert console_log.read_tail(tmp_path, 100) == b""
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(OSError, match="symbolic"):
        console_log.read_tail(tmp_path / "link", 100)


@pytest.mark.parametrize("capacity", [-1, 0, 4095, (1 << 30) + 1])
def test_absurd_sizes_are_refused(path, capacity):
    with pytest.raises(ValueError, match="console log size"):
        console_log.create(path, capacity)
    assert not path.exists()


def test_opening_for_writing_keeps_a_sound_ring(path):
    path.write_bytes(ring_of(5000))
    before = path.stat().st_ino
    os.close(console_log.open_for_writing(path, CAPACITY))
    assert path.stat().st_ino == before
    assert console_log.read_tail(path, 100) == positions(4900, 5000)


@pytest.mark.parametrize("capacity", [2 * CAPACITY, 5000])
def test_a_ring_of_another_size_is_made_anew_with_its_latest_output(path, capacity):
    path.write_bytes(ring_of(6000))
    os.close(console_log.open_for_writing(path, capacity))
    assert path.stat().st_size == capacity + console_log.HEADER_SIZE
    assert console_log.read_tail(path, 1 << 20) == positions(6000 - CAPACITY, 6000)


def test_what_is_no_ring_is_replaced_by_an_empty_one(path):
    path.write_bytes(b"something else entirely")
    os.close(console_log.open_for_writing(path, CAPACITY))
    assert path.stat().st_size == CAPACITY + console_log.HEADER_SIZE
    assert console_log.read_tail(path, 100) == b""
