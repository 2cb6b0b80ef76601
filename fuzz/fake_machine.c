/* The fake machine: bus and devices are the real ones, the memory is malloc's so that the sanitizer guards its ends. */
#include "fake_machine.h"

#include <assert.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>

#include "virtio/block.h"

static void fire(void *opaque, struct virtio_device *device, unsigned vector, uint64_t address, uint32_t data) {
    struct fake_machine *machine = opaque;
    (void)device, (void)address, (void)data;
    assert(vector < NL_MSIX_VECTORS);
    __atomic_fetch_add(&machine->interrupts[vector], 1, __ATOMIC_RELAXED);
}

static void notify_at(void *opaque, struct virtio_device *device, uint64_t address) {
    struct fake_machine *machine = opaque;
    (void)device;
    machine->notify_at = address;
}

void fake_init(struct fake_machine *machine) {
    memset(machine, 0, sizeof(*machine));
    machine->memory.regions[0] = (struct memory_region){0, RAM_SIZE, calloc(1, RAM_SIZE)};
    machine->memory.regions[1] = (struct memory_region){HIGH_START, HIGH_SIZE, calloc(1, HIGH_SIZE)};
    machine->memory.count = 2;
    machine->notify_at = PCI_NOT_DECODED;
    int result = virtio_set_init(&machine->set, &machine->bus, &machine->memory,
                                 (struct virtio_hooks){.fire = fire, .notify_at = notify_at, .opaque = machine});
    assert(result == 0);
}

void fake_add(struct fake_machine *machine, struct virtio_device *device) {
    int result = virtio_set_add(&machine->set, device, "test");
    assert(result == 0);
    machine->device = device;
}

void fake_close(struct fake_machine *machine) {
    virtio_set_stop(&machine->set);
    virtio_set_close(&machine->set);
    free(machine->memory.regions[0].host);
    free(machine->memory.regions[1].host);
}

void fake_turn(struct fake_machine *machine) {
    struct virtio_device *device = machine->device;
    if (device->kind->own_threads)
        block_poll(device->state);
    for (int turns = 0; turns < 64 && loop_turn(&machine->set.loop, 0) > 0; turns++)
        continue;
}

uint8_t *fake_ram(struct fake_machine *machine, uint64_t address, uint64_t size) {
    uint8_t *at = memory_at(&machine->memory, address, size);
    assert(at != NULL);
    return at;
}

static uint64_t config_address(struct fake_machine *machine, unsigned offset) {
    return PCI_ECAM_BASE + (machine->device->number << 15) + offset;
}

uint32_t fake_config_read(struct fake_machine *machine, unsigned offset, unsigned size) {
    uint8_t data[8] = {0};
    uint32_t value;
    bus_mmio(&machine->bus, false, config_address(machine, offset), size, data);
    memcpy(&value, data, 4);
    return value;
}

void fake_config_write(struct fake_machine *machine, unsigned offset, unsigned size, uint32_t value) {
    uint8_t data[8] = {0};
    memcpy(data, &value, 4);
    bus_mmio(&machine->bus, true, config_address(machine, offset), size, data);
}

static uint64_t bar(struct fake_machine *machine) {
    return fake_config_read(machine, PCI_REG_BAR0, 4) & ~0xfu;
}

uint64_t fake_bar_read(struct fake_machine *machine, unsigned offset, unsigned size) {
    uint64_t value = 0;
    bus_mmio(&machine->bus, false, bar(machine) + offset, size, (uint8_t *)&value);
    return value;
}

void fake_bar_write(struct fake_machine *machine, unsigned offset, unsigned size, uint64_t value) {
    bus_mmio(&machine->bus, true, bar(machine) + offset, size, (uint8_t *)&value);
}

static void set_status(struct fake_machine *machine, uint8_t bits) {
    uint8_t now = (uint8_t)fake_bar_read(machine, VIRTIO_PCI_COMMON_STATUS, 1);
    fake_bar_write(machine, VIRTIO_PCI_COMMON_STATUS, 1, now | bits);
}

void fake_drive(struct fake_machine *machine, uint64_t features, uint16_t size) {
    struct virtio_device *device = machine->device;
    fake_bar_write(machine, VIRTIO_PCI_COMMON_STATUS, 1, 0);
    fake_config_write(machine, device->msix_capability + 2, 2, 0x8000);
    for (unsigned i = 0; i < device->msix.vectors; i++) {
        fake_bar_write(machine, MSIX_TABLE + 16 * i, 8, 0xfee00000);
        fake_bar_write(machine, MSIX_TABLE + 16 * i + 8, 8, 0x40 + i);
    }
    set_status(machine, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
    uint64_t accepted = device->offered & (features | 1ull << VIRTIO_F_VERSION_1);
    for (unsigned half = 0; half < 2; half++) {
        fake_bar_write(machine, VIRTIO_PCI_COMMON_GFSELECT, 4, half);
        fake_bar_write(machine, VIRTIO_PCI_COMMON_GF, 4, accepted >> (32 * half) & 0xffffffff);
    }
    set_status(machine, VIRTIO_CONFIG_S_FEATURES_OK);
    fake_bar_write(machine, VIRTIO_PCI_COMMON_MSIX, 2, device->queue_count);
    for (unsigned i = 0; i < device->queue_count && QUEUE_AT(i) + 0x2000 <= BUFFERS; i++) {
        machine->available[i] = machine->seen[i] = 0;
        memset(fake_ram(machine, QUEUE_AT(i), 0x2000), 0, 0x2000);
        fake_bar_write(machine, VIRTIO_PCI_COMMON_Q_SELECT, 2, i);
        fake_bar_write(machine, VIRTIO_PCI_COMMON_Q_SIZE, 2, size);
        fake_bar_write(machine, VIRTIO_PCI_COMMON_Q_MSIX, 2, i);
        fake_bar_write(machine, VIRTIO_PCI_COMMON_Q_DESCLO, 4, QUEUE_AT(i));
        fake_bar_write(machine, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, QUEUE_AT(i) + AVAILABLE);
        fake_bar_write(machine, VIRTIO_PCI_COMMON_Q_USEDLO, 4, QUEUE_AT(i) + USED);
        fake_bar_write(machine, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
    }
    set_status(machine, VIRTIO_CONFIG_S_DRIVER_OK);
}

void fake_descriptor(struct fake_machine *machine, unsigned queue, unsigned index, uint64_t address, uint32_t length,
                     uint16_t flags, uint16_t next) {
    struct vring_desc descriptor = {address, length, flags, next};
    memcpy(fake_ram(machine, QUEUE_AT(queue) + 16 * index, 16), &descriptor, 16);
}

void fake_offer(struct fake_machine *machine, unsigned queue, uint16_t head) {
    uint16_t size = machine->device->queues[queue].size;
    uint8_t *ring = fake_ram(machine, QUEUE_AT(queue) + AVAILABLE, 4 + 2 * size);
    memcpy(ring + 4 + 2 * (machine->available[queue]++ % size), &head, 2);
    memcpy(ring + 2, &machine->available[queue], 2);
    fake_bar_write(machine, NOTIFY + 4 * queue, 2, queue);
}

bool fake_taken(struct fake_machine *machine, unsigned queue, uint32_t *head, uint32_t *written) {
    uint16_t size = machine->device->queues[queue].size, index;
    const uint8_t *ring = fake_ram(machine, QUEUE_AT(queue) + USED, 4 + 8 * size);
    index = __atomic_load_n((const uint16_t *)(const void *)(ring + 2), __ATOMIC_ACQUIRE);
    if (index == machine->seen[queue])
        return false;
    const uint8_t *entry = ring + 4 + 8 * (machine->seen[queue]++ % size);
    memcpy(head, entry, 4);
    memcpy(written, entry + 4, 4);
    return true;
}
