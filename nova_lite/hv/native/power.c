/* Port 0x600, the ACPI-style power register: Cloud Hypervisor's AcpiShutdownDevice has the same values. */
#include "devices.h"

#define POWER_RESET 0x01
#define POWER_OFF (5 << 2 | 1 << 5) /* sleep type 5 and the sleep-enable bit: 0x34 */

static uint32_t power_read(void *device, uint16_t port, unsigned size) {
    (void)device, (void)port, (void)size;
    return 0;
}

static void power_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct end_hook *hook = device;
    (void)port, (void)size;
    if (value == POWER_OFF)
        hook->end(hook->opaque, NL_EVENT_SHUTDOWN);
    else if (value == POWER_RESET)
        hook->end(hook->opaque, NL_EVENT_RESET);
}

const struct pio_device power_ports = {.first = 0x600, .last = 0x600, .read = power_read, .write = power_write};
