/* Port 0x10: each value written becomes a line of the console, in decimal. The counting guest's voice. */
#include <string.h>

#include "devices.h"

static uint32_t port_console_read(void *device, uint16_t port, unsigned size) {
    (void)device, (void)port, (void)size;
    return UINT32_MAX;
}

static void port_console_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    static const char prefix[] = "out port: 16, data: ";
    struct port_console *port_console = device;
    char line[sizeof(prefix) + 12];
    char *end = line + sizeof(line), *at = end;
    (void)port, (void)size;
    *--at = '\n';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    at -= sizeof(prefix) - 1;
    memcpy(at, prefix, sizeof(prefix) - 1);
    console_write(port_console->console, at, (size_t)(end - at));
    count_shared(&port_console->lines, 1);
}

const struct pio_device port_console_ports = {
    .first = 0x10, .last = 0x10, .read = port_console_read, .write = port_console_write};
