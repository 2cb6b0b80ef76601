/* Assembles the devices on the bus and sums up what they counted. */
#include "devices.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool attach(struct bus *bus, const struct pio_device *ports, void *device) {
    struct pio_device attached = *ports;
    attached.device = device;
    return bus_add_pio(bus, &attached);
}

int devices_init(struct devices *devices, int console_log_fd, int copy_fd, int output_eventfd,
                 struct irq_line com1_irq, struct end_hook end) {
    int result = console_init(&devices->console, console_log_fd, copy_fd, output_eventfd);
    if (result < 0)
        return result;
    devices->end = end;
    devices->debug_console.out_fd = -1;
    devices->port_console.console = &devices->console;
    serial_init(&devices->serial, &devices->console, com1_irq);
    cmos_init(&devices->cmos);
    struct bus *bus = &devices->bus;
    /* The busiest first: the bus looks in this order. */
    if (attach(bus, &port_console_ports, &devices->port_console) && attach(bus, &serial_ports, &devices->serial) &&
        attach(bus, &debug_port_ports, &devices->debug_port) && attach(bus, &i8042_ports, &devices->end) &&
        attach(bus, &power_ports, &devices->end) && attach(bus, &cmos_ports, &devices->cmos) &&
        attach(bus, &system_control_ports, NULL))
        return 0;
    devices_close(devices);
    return -ENOSPC;
}

int devices_add_pvpanic(struct devices *devices) {
    return attach(&devices->bus, &pvpanic_ports, &devices->end) ? 0 : -ENOSPC;
}

int devices_add_debug_console(struct devices *devices, uint16_t port, int out_fd) {
    struct pio_device ports = debug_console_ports;
    ports.first = ports.last = port;
    if (!attach(&devices->bus, &ports, &devices->debug_console))
        return -EADDRINUSE;
    devices->debug_console.out_fd = out_fd < 0 ? -1 : fcntl(out_fd, F_DUPFD_CLOEXEC, 0);
    return out_fd >= 0 && devices->debug_console.out_fd < 0 ? -errno : 0;
}

void devices_reset(struct devices *devices) {
    serial_reset(&devices->serial);
    cmos_reset(&devices->cmos);
    atomic_store(&devices->console.first_output_ns, 0);
    atomic_store(&devices->console.panic_watch.found, false);
    atomic_store(&devices->debug_port.first_ns, 0);
}

void devices_close(struct devices *devices) {
    pthread_mutex_destroy(&devices->serial.lock);
    pthread_mutex_destroy(&devices->cmos.lock);
    if (devices->debug_console.out_fd >= 0)
        close(devices->debug_console.out_fd);
    console_close(&devices->console);
}

void devices_counters(struct devices *devices, struct nl_counters *counters) {
    counters->console_bytes = counted(&devices->console.bytes);
    counters->first_output_ns = counted(&devices->console.first_output_ns);
    counters->copy_dropped = counted(&devices->console.copy_dropped);
    counters->serial_bytes_out = counted(&devices->serial.bytes_out);
    counters->serial_bytes_in = counted(&devices->serial.bytes_in);
    counters->serial_overruns = counted(&devices->serial.overruns);
    counters->port_console_lines = counted(&devices->port_console.lines);
    counters->debug_port_writes = counted(&devices->debug_port.writes);
    counters->debug_port_last = counted(&devices->debug_port.last);
    counters->debug_console_bytes = counted(&devices->debug_console.bytes);
    counters->debug_console_dropped = counted(&devices->debug_console.dropped);
    counters->debug_port_first_ns = counted(&devices->debug_port.first_ns);
    counters->unclaimed_pio_reads = counted(&devices->bus.unclaimed_pio_reads);
    counters->unclaimed_pio_writes = counted(&devices->bus.unclaimed_pio_writes);
    counters->unclaimed_mmio_reads = counted(&devices->bus.unclaimed_mmio_reads);
    counters->unclaimed_mmio_writes = counted(&devices->bus.unclaimed_mmio_writes);
}

void devices_save(struct devices *devices, struct saved_state *state) {
    serial_save(&devices->serial, state);
    cmos_save(&devices->cmos, state);
}

bool devices_restore(struct devices *devices, const struct saved_state *state) {
    return serial_restore(&devices->serial, state) && cmos_restore(&devices->cmos, state);
}
