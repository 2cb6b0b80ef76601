/* A port that takes text a byte at a time, as QEMU's debugcon and Bochs' port 0xE9: the simplest console a guest can have. */
#include <unistd.h>

#include "devices.h"

#define PRESENT 0xe9 /* what a guest reads that asks whether there is one */

static uint32_t debug_console_read(void *device, uint16_t port, unsigned size) {
    (void)device, (void)port, (void)size;
    return PRESENT;
}

static void debug_console_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct debug_console *console = device;
    uint8_t byte = (uint8_t)value;
    (void)port, (void)size;
    count_shared(&console->bytes, 1);
    if (console->out_fd >= 0 && write(console->out_fd, &byte, 1) != 1) /* never waits */
        count_shared(&console->dropped, 1);
}

const struct pio_device debug_console_ports = {
    .bytewise = true, .read = debug_console_read, .write = debug_console_write};
