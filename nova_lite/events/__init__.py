"""The event stream of 3.x: what servers and operations do, told while it happens, by a process of its own."""
