/* The keyboard controller's reset line (port 0x64, command 0xFE); no keyboard behind it. */
#include "devices.h"

#define I8042_COMMAND 0x64
#define I8042_PULSE_RESET 0xfe

static uint32_t i8042_read(void *device, uint16_t port, unsigned size) {
    (void)device, (void)port, (void)size;
    return 0; /* "input buffer empty": a kernel waits for that before it sends the reset */
}

static void i8042_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct end_hook *hook = device;
    (void)size;
    if (port == I8042_COMMAND && value == I8042_PULSE_RESET)
        hook->end(hook->opaque, NL_EVENT_RESET);
}

const struct pio_device i8042_ports = {
    .first = I8042_COMMAND, .last = I8042_COMMAND, .bytewise = true, .read = i8042_read, .write = i8042_write};
