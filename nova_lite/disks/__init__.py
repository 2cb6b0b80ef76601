"""Disks of servers: image formats and their import, copy-on-write overlays, and what lies in a server's folder."""
