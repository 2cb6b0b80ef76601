/* Drives the device core without KVM, under sanitizers: register sequences with known answers, then random accesses.
 *
 * Usage: driver CONSOLE_LOG SEED ACCESSES */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "events.h"
#include "memory.h"

static int irq_level, irq_edges, ends;

static void set_irq(void *opaque, int level) {
    (void)opaque;
    assert(level != irq_level); /* only changes are reported */
    irq_edges += level > irq_level;
    irq_level = level;
}

static void end(void *opaque, enum nl_event_kind kind) {
    (void)opaque;
    assert(kind == NL_EVENT_RESET || kind == NL_EVENT_SHUTDOWN);
    ends++;
}

static void out(struct devices *devices, uint16_t port, uint8_t value) {
    bus_pio(&devices->bus, true, port, 1, 1, &value);
}

static uint8_t in(struct devices *devices, uint16_t port) {
    uint8_t value = 0;
    bus_pio(&devices->bus, false, port, 1, 1, &value);
    return value;
}

static void test_serial(struct devices *devices) {
    struct serial *serial = &devices->serial;
    /* The transmitter's interrupt: at once when it is switched on, again after every byte, gone once it was read. */
    out(devices, 0x3f9, 2);
    assert(irq_level == 1 && in(devices, 0x3fa) == 0x02 && irq_level == 0 && in(devices, 0x3fa) == 0x01);
    for (int i = 1; i <= 5; i++) {
        out(devices, 0x3f8, '.');
        assert(irq_level == 1 && irq_edges == 1 + i);
    }
    /* Input goes before output, and stays pending until it was read. */
    out(devices, 0x3f9, 3);
    assert(serial_input(serial, (const uint8_t *)"ab", 2) == 2);
    assert(in(devices, 0x3fa) == 0x04 && in(devices, 0x3fd) == 0x61);
    int edges = irq_edges;
    out(devices, 0x3f9, 1);
    assert(in(devices, 0x3f8) == 'a' && irq_level == 1 && irq_edges == edges + 1); /* without FIFOs: one edge a byte */
    assert(in(devices, 0x3f8) == 'b' && irq_level == 0 && in(devices, 0x3f8) == 0);
    /* Loopback keeps the host's input waiting; clearing the FIFO loses only what is in it. */
    out(devices, 0x3fa, 0x01);
    out(devices, 0x3fc, 0x10);
    assert(serial_input(serial, (const uint8_t *)"line", 4) == 4 && in(devices, 0x3fd) == 0x60);
    out(devices, 0x3f8, 'L');
    assert(in(devices, 0x3f8) == 'L' && in(devices, 0x3fd) == 0x60);
    out(devices, 0x3fc, 0x00);
    assert(in(devices, 0x3f8) == 'l' && in(devices, 0x3fd) == 0x61);
    out(devices, 0x3fa, 0x03);
    assert(in(devices, 0x3fd) == 0x60);
    /* The backlog is bounded and comes out whole and in order. */
    uint8_t many[4096];
    for (size_t i = 0; i < sizeof(many); i++)
        many[i] = (uint8_t)(i * 7);
    size_t taken = serial_input(serial, many, sizeof(many));
    assert(taken == SERIAL_FIFO_SIZE + SERIAL_BACKLOG_SIZE && serial_input(serial, many, 1) == 0);
    for (size_t i = 0; i < taken; i++)
        assert(in(devices, 0x3f8) == many[i]);
    assert(irq_level == 0);
    devices_reset(devices);
}

static void test_memory(void) {
    uint8_t low[8], high[8], data[8];
    struct guest_memory memory = {.regions = {{0, 8, low}, {1ull << 32, 8, high}}, .count = 2};
    assert(memory_write(&memory, 0, "abcdefgh", 8) && memory_write(&memory, 1ull << 32, "ABCDEFGH", 8));
    assert(memory_read(&memory, 7, data, 1) && data[0] == 'h' && memory_read(&memory, 8, data, 0));
    assert(!memory_read(&memory, 7, data, 2) && !memory_read(&memory, 9, data, 0));
    assert(!memory_read(&memory, UINT64_MAX, data, 2) && !memory_read(&memory, 1, data, SIZE_MAX));
    assert(memory_at(&memory, (1ull << 32) + 7, 1) == high + 7 && memory_at(&memory, (1ull << 32) - 1, 2) == NULL);
}

static void test_events(void) {
    struct events events;
    struct nl_event event;
    memset(&events, 0, sizeof(events));
    assert(events_init(&events) == 0);
    for (uint32_t i = 0; i < NL_EVENT_RING + 3; i++)
        events_push(&events, &(struct nl_event){.kind = i});
    assert(counted(&events.dropped) == 3);
    for (uint32_t i = 0; i < NL_EVENT_RING; i++)
        assert(events_pop(&events, &event) && event.kind == i);
    assert(!events_pop(&events, &event));
    events_close(&events);
}

static void access_at_random(struct devices *devices, long accesses) {
    static const uint16_t ports[] = {0x10, 0x80, 0x64, 0x63, 0x600, 0x5ff, 0x3f7, 0xffff, 0};
    static const unsigned sizes[] = {1, 2, 4, 3, 0};
    for (long i = 0; i < accesses; i++) {
        uint8_t data[64];
        long choice = random();
        uint16_t port = choice % 3 ? (uint16_t)(0x3f8 + random() % 8) : ports[random() % 9];
        unsigned size = sizes[random() % 8 < 6 ? 0 : random() % 5];
        for (size_t b = 0; b < sizeof(data); b++)
            data[b] = (uint8_t)random();
        bus_pio(&devices->bus, random() % 2, port, size, (uint32_t)(random() % 16), data);
        if (choice % 11 == 0)
            serial_input(&devices->serial, data, (size_t)(random() % 64));
        if (choice % 13 == 0)
            bus_mmio(&devices->bus, random() % 2, (uint64_t)random() << 32, (unsigned)(random() % 12), data);
        if (choice % 9973 == 0) {
            irq_level = 0;
            devices_reset(devices);
        }
        assert(devices->serial.fifo_size <= SERIAL_FIFO_SIZE && devices->serial.backlog_size <= SERIAL_BACKLOG_SIZE);
    }
}

int main(int argc, char **argv) {
    assert(argc == 4);
    struct devices *devices = calloc(1, sizeof(*devices));
    int log = open(argv[1], O_RDWR);
    assert(log >= 0);
    assert(devices_init(devices, log, -1, -1, (struct irq_line){set_irq, NULL}, (struct end_hook){end, NULL}) == 0);
    close(log);
    struct pio_device overlapping = serial_ports;
    assert(!bus_add_pio(&devices->bus, &overlapping));
    test_memory();
    test_events();
    test_serial(devices);
    srandom((unsigned)atoi(argv[2]));
    access_at_random(devices, atol(argv[3]));
    struct nl_counters counters;
    memset(&counters, 0, sizeof(counters));
    devices_counters(devices, &counters);
    printf("%llu %d\n", (unsigned long long)counters.console_bytes, ends);
    devices_close(devices);
    free(devices);
    return 0;
}
