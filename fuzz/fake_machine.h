/* A machine without KVM around one virtio device: memory, a PCI bus, and a driver's steps. For tests and fuzzers. */
#pragma once
#include "virtio/set.h"

#define RAM_SIZE 0x40000u
#define HIGH_START (4ull << 30)
#define HIGH_SIZE 0x1000u
/* Where a driver of ours puts queue ``i``. */
#define QUEUE_AT(i) (0x1000u + 0x2000u * (i))
#define AVAILABLE 0x1000u
#define USED 0x1800u
#define BUFFERS 0x30000u

/* Offsets in the BAR, as the capabilities say. */
#define COMMON 0x0000u
#define DEVICE_CONFIG 0x2000u
#define NOTIFY 0x3000u
#define MSIX_TABLE 0x4000u
#define MSIX_PENDING 0x5000u

struct fake_machine {
    struct bus bus;
    struct guest_memory memory;
    struct virtio_set set;
    struct virtio_device *device;
    unsigned interrupts[NL_MSIX_VECTORS];
    uint64_t notify_at;
    uint16_t available[VIRTIO_QUEUES], seen[VIRTIO_QUEUES]; /* the driver's indices */
};

void fake_init(struct fake_machine *machine);
/* Takes the device. */
void fake_add(struct fake_machine *machine, struct virtio_device *device);
void fake_close(struct fake_machine *machine);
/* Let the devices work until nothing is left to do at once. */
void fake_turn(struct fake_machine *machine);

uint8_t *fake_ram(struct fake_machine *machine, uint64_t address, uint64_t size);
uint32_t fake_config_read(struct fake_machine *machine, unsigned offset, unsigned size);
void fake_config_write(struct fake_machine *machine, unsigned offset, unsigned size, uint32_t value);
uint64_t fake_bar_read(struct fake_machine *machine, unsigned offset, unsigned size);
void fake_bar_write(struct fake_machine *machine, unsigned offset, unsigned size, uint64_t value);

/* What a driver does: MSI-X with vector i for queue i and the last one for the configuration, ``features`` as far as
 * offered, all queues of ``size``, DRIVER_OK. */
void fake_drive(struct fake_machine *machine, uint64_t features, uint16_t size);
void fake_descriptor(struct fake_machine *machine, unsigned queue, unsigned index, uint64_t address, uint32_t length,
                     uint16_t flags, uint16_t next);
/* Make a chain available and notify. */
void fake_offer(struct fake_machine *machine, unsigned queue, uint16_t head);
/* The next chain that came back; false when there is none. */
bool fake_taken(struct fake_machine *machine, unsigned queue, uint32_t *head, uint32_t *written);
