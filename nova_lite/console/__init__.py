"""The serial proxy: servers' consoles over WebSockets, in a process of its own."""
