"""Which format a disk image seems to have, by how it begins.

A disk is given to the guest as it is. An image of another format would show the guest its headers instead of a disk,
and let it write them: a chain of backing files of its own choosing for whoever opens the image as what it then says.
"""

from __future__ import annotations

import mmap
import os

#: Enough of the beginning for every magic, and what O_DIRECT reads.
_HEAD = 4096

#: Of nova_lite.disks.overlay_format, which few VMs load.
_OVERLAY = b"NLOVRLAY"

#: (offset, magic, name)
_FORMATS: tuple[tuple[int, bytes, str], ...] = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"QED\0", "QED"),
    (0, b"KDMV", "VMDK"),
    (0, b"COWD", "VMDK"),
    (0, b"# Disk DescriptorFile", "VMDK"),
    (0, b"vhdxfile", "VHDX"),
    (0, b"conectix", "VHD"),
    (0x40, b"\x7f\x10\xda\xbe", "VDI"),
)


def refuse_other_formats(fd: int) -> None:
    """Nothing if the open image may be a raw one. ValueError with what to do if it begins like another format."""
    with mmap.mmap(-1, _HEAD) as buffer:  # at a whole page, as O_DIRECT wants it
        size = os.preadv(fd, [buffer], 0)
        head = buffer[:size]
    if head.startswith(_OVERLAY):
        raise ValueError('is an overlay; say image_type "Overlay", and its base as backing_file')
    for offset, magic, name in _FORMATS:
        if head[offset : offset + len(magic)] == magic:
            raise ValueError(
                f"looks like a {name} image, which would reach the guest undecoded; convert it "
                '(qemu-img convert -O raw), or say image_type "Raw" if the guest shall have these very bytes'
            )
