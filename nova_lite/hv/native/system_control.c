/* Port 0x61, the PC's system control port B: a kernel that gets an NMI asks here whether the hardware has failed. It never
 * has; what nobody answers would read as "memory and bus have". */
#include "devices.h"

static uint32_t system_control_read(void *device, uint16_t port, unsigned size) {
    (void)device, (void)port, (void)size;
    return 0;
}

static void system_control_write(void *device, uint16_t port, unsigned size, uint32_t value) {
    (void)device, (void)port, (void)size, (void)value; /* speaker and masks of errors that do not come */
}

const struct pio_device system_control_ports = {
    .first = 0x61, .last = 0x61, .read = system_control_read, .write = system_control_write};
