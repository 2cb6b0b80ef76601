"""Writes AML, the byte code of ACPI: each function gives the bytes of one term (ACPI 6.4, chapters 20 and 6.4).

Names are given as in ASL (``_SB.PCI0``, ``\\_S5``); segments shorter than four characters are filled up.
"""

from __future__ import annotations

import struct
import uuid

ZERO, ONE, ONES = b"\x00", b"\x01", b"\xff"
ARG0, ARG1, ARG2, ARG3 = b"\x68", b"\x69", b"\x6a", b"\x6b"


def name_string(path: str) -> bytes:
    """A NameString."""
    root, relative = (b"\\", path[1:]) if path.startswith("\\") else (b"", path)
    segments = [_segment(part) for part in relative.split(".")]
    if len(segments) == 1:
        return root + segments[0]
    if len(segments) == 2:
        return root + b"\x2e" + b"".join(segments)
    return root + b"\x2f" + bytes([len(segments)]) + b"".join(segments)


def integer(value: int) -> bytes:
    """A constant, in its shortest form."""
    if value in (0, 1):
        return bytes([value])
    for prefix, size in ((0x0A, 1), (0x0B, 2), (0x0C, 4), (0x0E, 8)):
        if value < 1 << (8 * size):
            return bytes([prefix]) + value.to_bytes(size, "little")
    raise ValueError(f"{value:#x} has more than 64 bits")


def string(text: str) -> bytes:
    """A string of ASCII characters."""
    return b"\x0d" + text.encode("ascii") + b"\0"


def eisa_id(text: str) -> bytes:
    """A PNP identifier such as PNP0501 in its packed form."""
    letters = [ord(character) - 0x40 for character in text[:3]]
    packed = letters[0] << 26 | letters[1] << 21 | letters[2] << 16 | int(text[3:], 16)
    return b"\x0c" + packed.to_bytes(4, "big")


def buffer(data: bytes) -> bytes:
    """Bytes."""
    return b"\x11" + _sized(integer(len(data)) + data)


def uuid_buffer(text: str) -> bytes:
    """ASL's ToUUID."""
    return buffer(uuid.UUID(text).bytes_le)


def package(*elements: bytes) -> bytes:
    """A list of constants or names."""
    return b"\x12" + _sized(bytes([len(elements)]) + b"".join(elements))


def name(path: str, value: bytes) -> bytes:
    """Name (path, value)"""
    return b"\x08" + name_string(path) + value


def scope(path: str, *terms: bytes) -> bytes:
    """Scope (path) { ... }"""
    return b"\x10" + _sized(name_string(path) + b"".join(terms))


def device(path: str, *terms: bytes) -> bytes:
    """Device (path) { ... }"""
    return b"\x5b\x82" + _sized(name_string(path) + b"".join(terms))


def method(path: str, arguments: int, *terms: bytes, serialized: bool = False) -> bytes:
    """Method (path, arguments, NotSerialized or Serialized) { ... }"""
    return b"\x14" + _sized(name_string(path) + bytes([arguments | serialized << 3]) + b"".join(terms))


def io_region(path: str, first: int, size: int) -> bytes:
    """OperationRegion (path, SystemIO, first, size)"""
    return b"\x5b\x80" + name_string(path) + b"\x01" + integer(first) + integer(size)


def dword_fields(region: str, *names: str) -> bytes:
    """Field (region, DWordAcc, NoLock, WriteAsZeros) { names, each of 32 bits }"""
    return b"\x5b\x81" + _sized(name_string(region) + b"\x43" + b"".join(_segment(name) + b"\x20" for name in names))


def if_(predicate: bytes, *terms: bytes) -> bytes:
    """If (predicate) { ... }"""
    return b"\xa0" + _sized(predicate + b"".join(terms))


def equal(left: bytes, right: bytes) -> bytes:
    """left == right"""
    return b"\x93" + left + right


def and_(left: bytes, right: bytes) -> bytes:
    """left & right"""
    return b"\x7b" + left + right + ZERO


def store(value: bytes, target: bytes) -> bytes:
    """target = value"""
    return b"\x70" + value + target


def call(path: str, *arguments: bytes) -> bytes:
    """path (arguments)"""
    return name_string(path) + b"".join(arguments)


def return_(value: bytes) -> bytes:
    """Return (value)"""
    return b"\xa4" + value


def notify(path: str, value: int) -> bytes:
    """Notify (path, value)"""
    return notify_of(path, integer(value))


def notify_of(path: str, value: bytes) -> bytes:
    """Notify (path, value), which is a term"""
    return b"\x86" + name_string(path) + value


# -- resources ------------------------------------------------------------------------------------------------------


def resources(*descriptors: bytes) -> bytes:
    """ResourceTemplate () { ... }, with the end tag whose checksum nobody has to check."""
    return buffer(b"".join(descriptors) + b"\x79\x00")


def io_ports(first: int, count: int) -> bytes:
    """IO (Decode16, first, first, 1, count)"""
    return struct.pack("<BBHHBB", 0x47, 1, first, first, 1, count)


def interrupt(gsi: int) -> bytes:
    """Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { gsi }"""
    return struct.pack("<BHBBI", 0x89, 6, 0x03, 1, gsi)


def bus_numbers(first: int, last: int) -> bytes:
    """WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, ...)"""
    return _window(0x88, "H", 2, 0, first, last)


def port_window(first: int, last: int) -> bytes:
    """WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, ...)"""
    return _window(0x88, "H", 1, 3, first, last)


def memory_window_32(first: int, last: int) -> bytes:
    """DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, ...)"""
    return _window(0x87, "I", 0, 1, first, last)


def memory_window_64(first: int, last: int) -> bytes:
    """QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite, ...)"""
    return _window(0x8A, "Q", 0, 1, first, last)


def memory_32(address: int, size: int) -> bytes:
    """Memory32Fixed (ReadWrite, address, size)"""
    return struct.pack("<BHBII", 0x86, 9, 1, address, size)


def _window(tag: int, width: str, kind: int, flags: int, first: int, last: int) -> bytes:
    body = struct.pack(f"<BBB5{width}", kind, 0x0C, flags, 0, first, last, 0, last - first + 1)
    return struct.pack("<BH", tag, len(body)) + body


# -- inside ---------------------------------------------------------------------------------------------------------


def _segment(text: str) -> bytes:
    if not 1 <= len(text) <= 4:
        raise ValueError(f"{text!r} is no name of one to four characters")
    return text.encode("ascii").ljust(4, b"_")


def _sized(content: bytes) -> bytes:
    """PkgLength before what it counts, itself included."""
    for extra in range(4):
        size = len(content) + 1 + extra
        if extra == 0 and size < 1 << 6:
            return bytes([size]) + content
        if extra and size < 1 << (4 + 8 * extra):
            return bytes([extra << 6 | size & 0xF]) + (size >> 4).to_bytes(extra, "little") + content
    raise ValueError(f"{len(content)} bytes are too many for one AML package")
