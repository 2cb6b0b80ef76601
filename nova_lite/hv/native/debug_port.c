/* Port 0x80: keeps the last value and the time of the first, for measuring how far a boot has come. */
#include "devices.h"

static uint32_t debug_port_read(void *device, uint16_t port, unsigned size) {
    struct debug_port *debug = device;
    (void)port, (void)size;
    return (uint32_t)counted(&debug->last);
}

static void debug_port_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct debug_port *debug = device;
    (void)port, (void)size;
    stamp_once(&debug->first_ns);
    atomic_store_explicit(&debug->last, value, memory_order_relaxed);
    count_shared(&debug->writes, 1);
}

const struct pio_device debug_port_ports = {
    .first = 0x80, .last = 0x80, .read = debug_port_read, .write = debug_port_write};
