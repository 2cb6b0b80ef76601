"""The zygote's very first step (``python -S -m``): what is imported from here on lies on the heap that forks share."""

from __future__ import annotations

from nova_lite.hv.vmm import shared_heap

if __name__ == "__main__":
    shared_heap.install()
    import site

    site.main()  # what -S has put off: the way to the installed packages
    from nova_lite.hv.vmm import zygote

    zygote.main()
