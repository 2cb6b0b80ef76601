/* Port 0x505, QEMU's pvpanic device: by it a guest's kernel says that it has panicked. */
#include "devices.h"

#define PVPANIC_PANICKED 0x01
#define PVPANIC_CRASH_LOADED 0x02 /* panicked, and a crash kernel of the guest's own takes over */

static uint32_t pvpanic_read(void *device, uint16_t port, unsigned size) {
    (void)device, (void)port, (void)size;
    return PVPANIC_PANICKED | PVPANIC_CRASH_LOADED;
}

static void pvpanic_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    struct end_hook *hook = device;
    (void)port, (void)size;
    /* A guest that looks after its crash itself must be left running. */
    if (value & PVPANIC_PANICKED)
        hook->end(hook->opaque, NL_EVENT_GUEST_PANIC);
}

const struct pio_device pvpanic_ports = {.first = 0x505, .last = 0x505, .read = pvpanic_read, .write = pvpanic_write};
