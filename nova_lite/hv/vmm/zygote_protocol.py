"""What the zygote and the driver must agree on; the words themselves are in zygote.py's docstring."""

MAX_REQUEST = 32 << 10
#: Descriptors that a VMM may be given: eight network cards of eight pairs of queues.
MAX_DESCRIPTORS = 64
#: Room on the zygote's command line for the longer one that a VMM shows instead.
COMMAND_LINE_ROOM = 512
