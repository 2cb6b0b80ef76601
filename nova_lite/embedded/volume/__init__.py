"""Volume v3 over the local block store: volumes and snapshots that projects manage and servers use."""
