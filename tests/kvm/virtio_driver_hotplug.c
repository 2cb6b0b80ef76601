/* Devices that come and go, for virtio_driver.c. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio_driver.h"
#include "virtio/kinds.h"

#define UP 0x640
#define DOWN 0x644
#define EJECT 0x648

static struct virtio_device *disk(bool on_threads) {
    struct nl_disk_config config = {.queues = 2, .queue_size = 16, .discard = 1, .disable_io_uring = on_threads};
    int fd = memfd_create("disk", 0);
    assert(ftruncate(fd, 1 << 20) == 0);
    return block_create(&config, block_raw_open(fd));
}

static void offer_reads(unsigned queue, unsigned count) {
    struct virtio_blk_outhdr header = {.type = VIRTIO_BLK_T_IN};
    memcpy(fake_ram(&machine, BUFFERS, 16), &header, 16);
    fake_descriptor(&machine, queue, 0, BUFFERS, 16, NEXT, 1);
    fake_descriptor(&machine, queue, 1, BUFFERS + 0x200, 4096, NEXT | WRITE, 2);
    fake_descriptor(&machine, queue, 2, BUFFERS + 16, 1, WRITE, 0);
    while (count-- > 0)
        fake_offer(&machine, queue, 0);
}

static void await_one(unsigned queue) {
    uint32_t head, written;
    while (!fake_taken(&machine, queue, &head, &written))
        usleep(100);
}

void test_slots(void) {
    struct nl_balloon_config balloon = {.size = 0};
    struct virtio_set *set = &machine.set;
    fake_init(&machine);
    for (unsigned i = 1; i < PCI_DEVICES; i++) {
        fake_add(&machine, balloon_create(&balloon));
        assert(machine.device->number == i);
    }
    assert(virtio_set_add(set, balloon_create(&balloon), "one more") == -ENOSPC && set->count == PCI_DEVICES - 1);
    machine.device = set->devices[2]; /* slot 3 */
    uint32_t bar = fake_config_read(&machine, PCI_REG_BAR0, 4);
    assert(fake_config_read(&machine, 0, 2) == 0x1af4 && fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 2);
    /* The guest lets go of what it was asked for and of nothing else. */
    port(true, EJECT, 4, UINT32_MAX);
    assert(atomic_load(&set->pci.ejected) == 0);
    atomic_fetch_or(&set->pci.down, 1u << 3 | 1u << 5);
    assert(port(false, DOWN, 4, 0) == (1u << 3 | 1u << 5) && port(false, DOWN, 4, 0) == (1u << 3 | 1u << 5));
    for (unsigned size = 1; size < 4; size++)
        port(true, EJECT, size, 0xff);
    port(true, EJECT, 4, 1u << 3 | 1u << 4);
    assert(atomic_load(&set->pci.ejected) == 1u << 3 && port(false, DOWN, 4, 0) == 1u << 5);
    /* At once it is not there any more, nor are its registers; then the host takes it, and the slot is free. */
    assert(fake_config_read(&machine, 0, 4) == UINT32_MAX);
    uint64_t value = 0;
    bus_mmio(&machine.bus, false, bar, 4, (uint8_t *)&value);
    assert((uint32_t)value == UINT32_MAX);
    assert(virtio_set_remove(set, machine.device) == 0 && set->count == PCI_DEVICES - 2);
    assert(atomic_load(&set->pci.ejected) == 0);
    fake_add(&machine, balloon_create(&balloon));
    assert(machine.device->number == 3 && machine.device == set->devices[PCI_DEVICES - 2]);
    /* One that comes while the guest is on answers nowhere, until the guest says where or boots anew. */
    pci_bus_plugged(&set->pci, 3);
    assert(port(false, UP, 2, 0) == 0 && port(false, UP, 4, 0) == 1u << 3 && port(false, UP, 4, 0) == 0);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 0xffff && fake_config_read(&machine, PCI_REG_BAR0, 4) == bar);
    fake_config_write(&machine, PCI_REG_COMMAND, 2, PCI_COMMAND_MEMORY_SPACE);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 2);
    fake_config_write(&machine, PCI_REG_COMMAND, 2, 0);
    virtio_set_reset(set);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 2);
}

/* A disk goes while requests are under way and more keep coming; another one beside it works on. */
static void remove_disks(bool on_threads) {
    fake_init(&machine);
    fake_add(&machine, disk(on_threads));
    struct virtio_device *other = machine.device;
    assert(virtio_set_start(&machine.set) == 0);
    for (unsigned round = 0; round < 30; round++) {
        fake_add(&machine, disk(on_threads));
        assert(machine.device->number == 2);
        fake_drive(&machine, 0, 16);
        offer_reads(0, 1 + round % 16);
        offer_reads(1, 16);
        if (round % 3 == 0)
            await_one(1);
        assert(machine.notify_at != PCI_NOT_DECODED);
        assert(virtio_set_remove(&machine.set, machine.device) == 0);
        assert(machine.notify_at == PCI_NOT_DECODED);
        machine.device = other;
        fake_drive(&machine, 0, 16);
        offer_reads(0, 1);
        await_one(0);
    }
}

void test_remove_block(void) {
    remove_disks(false);
}

void test_remove_block_on_threads(void) {
    remove_disks(true);
}

/* Somebody else has the tap open as well: closing ours would leave it in the loop. */
void test_remove_net(void) {
    struct nl_net_config config = {.pairs = 1, .queue_size = 16, .mac = {2, 0, 0, 0, 0, 1}};
    int ends[2];
    uint8_t packet[100] = {0};
    fake_init(&machine);
    fake_add(&machine, disk(false));
    struct virtio_device *other = machine.device;
    assert(virtio_set_start(&machine.set) == 0);
    assert(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0);
    for (unsigned round = 0; round < 30; round++) {
        config.tap_fds[0] = dup(ends[0]);
        fake_add(&machine, net_create(&config));
        fake_drive(&machine, 0, 16);
        fake_descriptor(&machine, 0, 0, BUFFERS, 2048, WRITE, 0);
        fake_offer(&machine, 0, 0);
        assert(write(ends[1], packet, 100) == 100);
        if (round % 2 == 0)
            await_one(0);
        assert(write(ends[1], packet, 100) == 100);
        assert(virtio_set_remove(&machine.set, machine.device) == 0);
        assert(write(ends[1], packet, 100) == 100);
        while (read(ends[0], packet, 100) > 0)
            continue;
        machine.device = other;
        fake_drive(&machine, 0, 16);
        offer_reads(0, 1);
        await_one(0);
    }
    close(ends[0]);
    close(ends[1]);
}

/* What comes while the machine is paused waits with it. */
void test_add_while_paused(void) {
    struct nl_balloon_config balloon = {.size = 0};
    fake_init(&machine);
    fake_add(&machine, balloon_create(&balloon));
    assert(virtio_set_start(&machine.set) == 0);
    virtio_set_pause(&machine.set);
    fake_add(&machine, disk(true));
    fake_drive(&machine, 0, 16);
    offer_reads(1, 1);
    assert(!machine.device->started);
    assert(virtio_set_resume(&machine.set) == 0 && virtio_set_resume(&machine.set) == 0);
    await_one(1);
}
