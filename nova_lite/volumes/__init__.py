"""The block store of a host: volumes, each a raw file with holes."""
