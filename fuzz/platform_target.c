/* A hostile guest at what every machine has: ports, PCI configuration space, BARs and MSI-X tables.
 *
 * The input is a list of accesses; see one_step. It always starts on a fresh machine: all devices with ports, and three
 * virtio devices of different numbers of queues on the PCI bus. */
#include "platform_target.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "devices.h"
#include "input.h"
#include "virtio/kinds.h"
#include "virtio/set.h"
#include "watchdog.h"

#define RAM_SIZE 0x10000u
#define DEVICES 3 /* at first */
#define COM1 0x3f8

struct platform {
    struct devices devices;
    struct virtio_set set;
    struct watchdog watchdog;
    struct guest_memory memory;
    int irq_level;
    uint64_t notify_at[PCI_DEVICES];
};

static void set_irq(void *opaque, int level) {
    struct platform *platform = opaque;
    assert(level != platform->irq_level); /* only changes are reported */
    platform->irq_level = level;
}

static void end(void *opaque, enum nl_event_kind kind) {
    (void)opaque;
    assert(kind >= NL_EVENT_SHUTDOWN && kind <= NL_EVENT_WATCHDOG);
}

static void fire(void *opaque, struct virtio_device *device, unsigned vector, uint64_t address, uint32_t data) {
    (void)opaque, (void)address, (void)data;
    assert(vector <= device->queue_count && device->msix.enabled && !device->msix.masked);
}

static void notify_at(void *opaque, struct virtio_device *device, uint64_t address) {
    struct platform *platform = opaque;
    assert(device->number >= 1 && device->number < PCI_DEVICES);
    assert(address == PCI_NOT_DECODED || (address >= PCI_BAR_WINDOW && address < PCI_BAR_WINDOW_END));
    platform->notify_at[device->number] = address;
}

static void set_up(struct platform *platform) {
    struct nl_balloon_config balloon = {.size = 4096, .free_page_reporting = 1};
    struct pio_device ports = watchdog_ports;
    memset(platform, 0, sizeof(*platform));
    platform->memory.regions[0] = (struct memory_region){0, RAM_SIZE, calloc(1, RAM_SIZE)};
    platform->memory.count = 1;
    int result = devices_init(&platform->devices, -1, -1, -1, (struct irq_line){set_irq, platform},
                              (struct end_hook){end, platform});
    result |= devices_add_pvpanic(&platform->devices);
    result |= devices_add_debug_console(&platform->devices, 0xe9, -1);
    result |= virtio_set_init(&platform->set, &platform->devices.bus, &platform->memory,
                              (struct virtio_hooks){.fire = fire, .notify_at = notify_at, .opaque = platform});
    platform->set.pci.end = (struct end_hook){end, platform};
    result |= watchdog_init(&platform->watchdog, &platform->set.loop, (struct end_hook){end, platform});
    ports.device = &platform->watchdog;
    result |= !bus_add_pio(&platform->devices.bus, &ports);
    result |= virtio_set_add(&platform->set, rng_create(open("/dev/zero", O_RDONLY | O_CLOEXEC)), "rng");
    result |= virtio_set_add(&platform->set, virtio_console_create(-1), "console");
    result |= virtio_set_add(&platform->set, balloon_create(&balloon), "balloon");
    assert(result == 0);
}

static void tear_down(struct platform *platform) {
    watchdog_close(&platform->watchdog);
    virtio_set_close(&platform->set);
    devices_close(&platform->devices);
    free(platform->memory.regions[0].host);
}

static uint16_t some_port(const char *kind, struct input *input) {
    static const uint16_t first[] = {0x10, 0x61, 0x64, 0x70, 0x80, 0xe9, 0x3f8, 0x505, 0x600, 0x620, 0xcf8};
    uint32_t byte = take(input, 1);
    if (strcmp(kind, "serial") == 0)
        return (uint16_t)(COM1 + byte % 8);
    if (strcmp(kind, "pci") == 0)
        return (uint16_t)(0xcf8 + byte % 8);
    if (strcmp(kind, "hotplug") == 0)
        return (uint16_t)(byte & 0x80 ? 0xcf8 + byte % 8 : 0x640 + byte % 12);
    return (uint16_t)(first[byte % 11] + (byte / 11) % 16);
}

/* In ECAM, in the window of the BARs, or anywhere. */
static uint64_t some_address(struct input *input) {
    uint32_t where = take(input, 1), offset = take(input, 2);
    if (where & 0x80)
        return (uint64_t)(where & 0x7f) << 32 | take(input, 4);
    if (where & 0x40)
        return PCI_BAR_WINDOW + (where & 7) * 0x8000u + offset % 0x8000u;
    return PCI_ECAM_BASE + (uint64_t)(where & 7) * 0x8000u + offset % 0x8000u;
}

/* What the host does with slots: wants one back, takes away what the guest has let go of, puts a device in. */
static void change_slots(struct platform *platform, struct input *input) {
    struct virtio_set *set = &platform->set;
    struct nl_balloon_config balloon = {.free_page_reporting = 1};
    uint32_t what = take(input, 1), slot = what % PCI_DEVICES;
    if (what >> 5 == 0) {
        for (unsigned i = 0; i < set->count; i++)
            if (set->devices[i]->number == slot)
                atomic_fetch_or(&set->pci.down, 1u << slot);
    } else if (what >> 5 == 1) {
        for (unsigned i = set->count; i-- > 0;)
            if (atomic_load(&set->pci.ejected) >> set->devices[i]->number & 1)
                assert(virtio_set_remove(set, set->devices[i]) == 0);
        assert(atomic_load(&set->pci.ejected) == 0);
    } else {
        unsigned before = set->count;
        int result = virtio_set_add(set, balloon_create(&balloon), "more");
        assert(result == 0 ? set->count == before + 1 : result == -ENOSPC && before == PCI_DEVICES - 1);
        if (result == 0)
            pci_bus_plugged(&set->pci, set->devices[before]->number);
    }
}

static void one_step(struct platform *platform, const char *kind, struct input *input) {
    static const unsigned sizes[] = {1, 2, 4, 8};
    struct bus *bus = &platform->devices.bus;
    uint32_t what = take(input, 1), count = 1 + (what >> 5 & 3);
    unsigned size = sizes[what >> 3 & 3];
    uint8_t data[64] = {0};
    struct virtio_device *device = NULL;
    if (platform->set.count > 0)
        device = platform->set.devices[(what >> 3 & 3) % platform->set.count];
    uint64_t address;
    uint16_t port;
    switch (what & 7) {
    case 0: /* a port, several times as by a string instruction */
        port = some_port(kind, input);
        for (unsigned i = 0; i < count * size && input->at < input->end; i++)
            data[i] = *input->at++;
        bus_pio(bus, true, port, size, count, data);
        break;
    case 1:
        bus_pio(bus, false, some_port(kind, input), size, count, data);
        break;
    case 2:
        address = some_address(input);
        for (unsigned i = 0; i < size && input->at < input->end; i++)
            data[i] = *input->at++;
        bus_mmio(bus, true, address, size, data);
        break;
    case 3:
        bus_mmio(bus, false, some_address(input), size, data);
        break;
    case 4: /* the host types */
        count = take(input, 1) % sizeof(data);
        assert(serial_input(&platform->devices.serial, data, count) <= count);
        break;
    case 5:
        if ((what & 0xf8) == 0) {
            devices_reset(&platform->devices);
            platform->irq_level = 0;
            virtio_set_reset(&platform->set);
            watchdog_reset(&platform->watchdog);
        } else if (strcmp(kind, "hotplug") == 0) {
            change_slots(platform, input);
        }
        break;
    case 6: /* a device interrupts, by vectors that there are and others */
        if (device != NULL)
            msix_fire(&device->msix, take(input, 1));
        break;
    default:
        loop_turn(&platform->set.loop, 0);
    }
}

/* What no guest may change. */
static void check(struct platform *platform) {
    const struct serial *serial = &platform->devices.serial;
    assert(serial->fifo_size <= SERIAL_FIFO_SIZE && serial->backlog_size <= SERIAL_BACKLOG_SIZE);
    assert(serial->irq_level == platform->irq_level);
    for (unsigned i = 0; i < platform->set.count; i++) {
        struct virtio_device *device = platform->set.devices[i];
        uint64_t bar = atomic_load(&device->function.bar_address);
        assert(device->function.config[0] == 0xf4 && device->function.config[1] == 0x1a);
        assert(bar == PCI_NOT_DECODED || (bar >= PCI_BAR_WINDOW && bar % device->function.bar_size == 0));
        if (bar == PCI_NOT_DECODED)
            assert(platform->notify_at[device->number] == PCI_NOT_DECODED || platform->notify_at[device->number] == 0);
    }
}

bool platform_input(const char *kind, const uint8_t *data, size_t size) {
    struct input input = {data, data + size};
    struct platform platform;
    if (strcmp(kind, "pci") != 0 && strcmp(kind, "serial") != 0 && strcmp(kind, "ports") != 0 &&
        strcmp(kind, "hotplug") != 0)
        return false;
    set_up(&platform);
    for (unsigned steps = 0; steps < 512 && input.at < input.end; steps++)
        one_step(&platform, kind, &input);
    check(&platform);
    tear_down(&platform);
    return true;
}
