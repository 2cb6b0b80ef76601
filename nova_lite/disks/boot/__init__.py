"""Booting a disk that comes without a kernel: find kernel, initramfs and command line where its own boot loader would.

``find.entry`` says what would be booted, ``find.extract`` copies it out. The disk is the work of strangers: its file
systems are read by grub-fstest in a confined process (``reader``), its configuration by parsers with budgets.
"""
