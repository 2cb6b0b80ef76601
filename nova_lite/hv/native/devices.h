/* The devices of the machine and how they hang together. No KVM in here: hooks lead out, bus_pio leads in. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "bus.h"
#include "end_hook.h"
#include "console.h"
#include "interface.h"
#include "saved_state.h"

/* A device's interrupt wire. */
struct irq_line {
    void (*set)(void *opaque, int level);
    void *opaque;
};

#define SERIAL_FIFO_SIZE 16
#define SERIAL_BACKLOG_SIZE 1024

struct serial {
    pthread_mutex_t lock;
    struct console *console;
    struct irq_line irq;
    uint8_t ier, fcr, lcr, mcr, scratch, divisor[2];
    bool overrun;
    bool thre_pending; /* the transmitter became empty and the guest has not been told yet */
    int irq_level;
    uint8_t fifo[SERIAL_FIFO_SIZE]; /* what the guest's receiver holds */
    unsigned fifo_start, fifo_size;
    uint8_t backlog[SERIAL_BACKLOG_SIZE]; /* what the host has sent and the receiver has no room for yet */
    unsigned backlog_start, backlog_size;
    counter bytes_out, bytes_in, overruns;
};

struct port_console {
    struct console *console;
    counter lines;
};

struct debug_port {
    counter writes, last, first_ns;
};

struct debug_console {
    int out_fd; /* nonblocking, or -1 */
    counter bytes, dropped;
};

struct cmos {
    pthread_mutex_t lock;
    uint8_t index;
    uint8_t bytes[128];
};

struct devices {
    struct bus bus;
    struct console console;
    struct serial serial;
    struct port_console port_console;
    struct debug_port debug_port;
    struct debug_console debug_console;
    struct cmos cmos;
    struct end_hook end;
};

void serial_init(struct serial *serial, struct console *console, struct irq_line irq);
void serial_reset(struct serial *serial);
void serial_save(struct serial *serial, struct saved_state *state);
bool serial_restore(struct serial *serial, const struct saved_state *state);
/* Input from the host; returns how many bytes there was room for. */
size_t serial_input(struct serial *serial, const uint8_t *data, size_t size);

void cmos_init(struct cmos *cmos);
void cmos_reset(struct cmos *cmos);
void cmos_save(struct cmos *cmos, struct saved_state *state);
bool cmos_restore(struct cmos *cmos, const struct saved_state *state);

extern const struct pio_device serial_ports, port_console_ports, debug_port_ports, i8042_ports, power_ports, cmos_ports,
    pvpanic_ports, system_control_ports, debug_console_ports;

/* Put every device on the bus. 0 or a negative errno; ``devices`` must be zeroed. */
int devices_init(struct devices *devices, int console_log_fd, int copy_fd, int output_eventfd,
                 struct irq_line com1_irq, struct end_hook end);
/* The device is there only when the machine's configuration asks for it. 0 or a negative errno. */
int devices_add_pvpanic(struct devices *devices);
/* Likewise, at a port of the user's choice; -EADDRINUSE: another device has it. Keeps a duplicate of ``out_fd``, or -1. */
int devices_add_debug_console(struct devices *devices, uint16_t port, int out_fd);
/* As after power-on; counters and the console log go on. */
void devices_reset(struct devices *devices);
/* Of a paused machine; into one that was not started: false when something is missing. */
void devices_save(struct devices *devices, struct saved_state *state);
bool devices_restore(struct devices *devices, const struct saved_state *state);
void devices_close(struct devices *devices);
void devices_counters(struct devices *devices, struct nl_counters *counters);
