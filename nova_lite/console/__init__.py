"""The serial proxy: servers' consoles over WebSockets, in the connection service."""
