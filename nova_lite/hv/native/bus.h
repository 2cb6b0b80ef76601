/* Which device answers a port or an address. No KVM in here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "counter.h"

#define NL_PIO_DEVICES 16
#define NL_MMIO_DEVICES 4

struct pio_device {
    uint16_t first;
    uint16_t last;
    bool bytewise; /* wider accesses are split into bytes at consecutive ports, as the ISA bus does */
    uint32_t (*read)(void *device, uint16_t port, unsigned size);
    void (*write)(void *device, uint16_t port, unsigned size, uint32_t value);
    void *device;
};

/* A window of addresses. It never moves while the guest runs: what moves (a BAR) moves inside its window. */
struct mmio_device {
    uint64_t first;
    uint64_t size;
    uint64_t (*read)(void *device, uint64_t offset, unsigned size); /* size: 1, 2, 4 or 8 */
    void (*write)(void *device, uint64_t offset, unsigned size, uint64_t value);
    void *device;
};

struct bus {
    struct pio_device pio[NL_PIO_DEVICES];
    unsigned pio_count;
    struct mmio_device mmio[NL_MMIO_DEVICES];
    unsigned mmio_count;
    counter unclaimed_pio_reads;
    counter unclaimed_pio_writes;
    counter unclaimed_mmio_reads;
    counter unclaimed_mmio_writes;
};

/* False when the table is full or the ports are taken. */
bool bus_add_pio(struct bus *bus, const struct pio_device *device);

/* False when the table is full, or the window is empty, wraps around or lies over another one. */
bool bus_add_mmio(struct bus *bus, const struct mmio_device *device);

/* ``count`` accesses of ``size`` (1, 2, 4) bytes to one port, their data one after another at ``data``. */
void bus_pio(struct bus *bus, bool write, uint16_t port, unsigned size, uint32_t count, uint8_t *data);

/* One access of at most 8 bytes to an address that is no RAM. */
void bus_mmio(struct bus *bus, bool write, uint64_t address, unsigned size, uint8_t *data);
