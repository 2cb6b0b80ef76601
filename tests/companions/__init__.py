"""nova_lite beside a real Keystone: `make test-companions`."""
