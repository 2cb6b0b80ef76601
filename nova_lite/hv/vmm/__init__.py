"""The VM process: REST on a UNIX socket in front, one control loop, one machine."""
