"""nova_lite beside a real Keystone and a real Glance: `make test-companions`."""
