"""Debian's cloud kernel with an initramfs built in, for tests whose machine must not name one."""

from __future__ import annotations

import struct

from nova_lite.hv.vmm import bzimage, loader, unpack
from nova_lite.hv.vmm.kernel_file import Content
from tests.nested import guest_kernel

#: Where the built-in initramfs lies: above all of the kernel, in a machine of 512 MiB.
BUILT_IN_ADDRESS = 0x10000000
_STUB_SIZE = 4096
_HEADER, _SEGMENT = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")


def vmlinux_with(initramfs: bytes) -> bytes:
    """A vmlinux that brings ``initramfs`` along, as CONFIG_INITRAMFS_SOURCE makes one: nobody needs to name it.

    Debian's has its drivers as modules, so alone it reaches no disk. A segment more holds the archive and, as the new
    64-bit entry, three instructions that put its place into boot_params (rsi) before they go on to the old one.
    """
    packed = guest_kernel.kernel().vmlinuz.read_bytes()
    source = Content(packed, "vmlinuz")
    image = bytearray(unpack.unpack(bzimage.packed_kernel(source), loader.UNPACKED_MAX_SIZE, "vmlinuz"))
    header = list(_HEADER.unpack_from(image))
    entry, table, count = header[4], header[5], header[10]
    archive_at = BUILT_IN_ADDRESS + _STUB_SIZE
    stub = b"\xc7\x86\x18\x02\0\0" + struct.pack("<I", archive_at)  # movl $archive_at, 0x218(%rsi): ramdisk_image
    stub += b"\xc7\x86\x1c\x02\0\0" + struct.pack("<I", len(initramfs))  # movl $size, 0x21c(%rsi): ramdisk_size
    stub += b"\xb8" + struct.pack("<I", entry) + b"\xff\xe0"  # movl $entry, %eax; jmp *%rax
    built_in = stub.ljust(_STUB_SIZE, b"\0") + initramfs
    segments = bytes(image[table : table + count * _SEGMENT.size])
    offset = len(image)
    image += built_in
    header[4], header[5], header[10] = BUILT_IN_ADDRESS, len(image), count + 1
    size = len(built_in)
    image += segments + _SEGMENT.pack(1, 7, offset, BUILT_IN_ADDRESS, BUILT_IN_ADDRESS, size, size, 4096)
    _HEADER.pack_into(image, 0, *header)
    return bytes(image)
