/* Drives the PCI bus and the virtio devices without KVM, under sanitizers. Usage: virtio_driver TEST */
#include <assert.h>
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fake_machine.h"
#include "virtio/block.h"
#include "virtio/kinds.h"
#include "virtio/rate_limiter.h"
#include "watchdog.h"

#define NEXT VRING_DESC_F_NEXT
#define WRITE VRING_DESC_F_WRITE
#define INDIRECT VRING_DESC_F_INDIRECT
#define STATUS VIRTIO_PCI_COMMON_STATUS

static struct fake_machine machine;

static void with_rng(void) {
    fake_init(&machine);
    fake_add(&machine, rng_create(open("/dev/urandom", O_RDONLY)));
}

static uint8_t status(void) {
    return (uint8_t)fake_bar_read(&machine, STATUS, 1);
}

static uint32_t port(bool write, uint16_t number, unsigned size, uint32_t value) {
    uint8_t data[4];
    memcpy(data, &value, 4);
    bus_pio(&machine.bus, write, number, size, 1, data);
    memcpy(&value, data, 4);
    return value;
}

static void test_pci_config(void) {
    with_rng();
    /* Both ways into configuration space show the same; what is not there reads as ones. */
    port(true, 0xcf8, 4, 0x80000000);
    assert(port(false, 0xcf8, 4, 0) == 0x80000000 && port(false, 0xcfc, 4, 0) == 0x0d578086);
    port(true, 0xcf8, 4, 0x80000800);
    assert(port(false, 0xcfc, 4, 0) == 0x10441af4 && fake_config_read(&machine, 0, 4) == 0x10441af4);
    assert((port(false, 0xcfe, 2, 0) & 0xffff) == 0x1044 && (uint8_t)port(false, 0xcfd, 1, 0) == 0x1a);
    assert(port(false, 0xcfe, 4, 0) == UINT32_MAX); /* reaches over the end */
    port(true, 0xcf8, 4, 0x80001000);
    assert(port(false, 0xcfc, 4, 0) == UINT32_MAX);
    port(true, 0xcf8, 4, 0x80000900); /* function 1 */
    assert(port(false, 0xcfc, 4, 0) == UINT32_MAX);
    port(true, 0xcf8, 4, 0x00000800); /* not enabled */
    assert(port(false, 0xcfc, 4, 0) == UINT32_MAX);
    fake_config_write(&machine, 0, 4, 0); /* read-only */
    assert(fake_config_read(&machine, 0, 4) == 0x10441af4 && fake_config_read(&machine, 0x100, 4) == 0);

    /* Sizing, moving, switching off. */
    uint32_t at = fake_config_read(&machine, 0x10, 4);
    assert(at == 0xe1000000 && fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 1);
    fake_config_write(&machine, 0x10, 4, UINT32_MAX);
    assert(fake_config_read(&machine, 0x10, 4) == 0xffff8000 && machine.device->function.bar_address == PCI_NOT_DECODED);
    fake_config_write(&machine, 0x10, 4, 0xe2340000);
    assert(machine.device->function.bar_address == 0xe2340000 && fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 1);
    fake_drive(&machine, 0, 8);
    assert(machine.notify_at == 0xe2343000);
    fake_config_write(&machine, 0x10, 4, 0xe4560000);
    assert(machine.notify_at == 0xe4563000);
    fake_config_write(&machine, 4, 2, 0);
    assert(machine.notify_at == PCI_NOT_DECODED && fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 0xffff);
    virtio_set_reset(&machine.set);
    assert(fake_config_read(&machine, 0x10, 4) == at && status() == 0);

    /* The list of capabilities ends, and leads to every structure. */
    unsigned seen = 0, count = 0;
    for (unsigned c = fake_config_read(&machine, 0x34, 1) & 0xff; c != 0; c = fake_config_read(&machine, c + 1, 1) & 0xff) {
        if ((fake_config_read(&machine, c, 1) & 0xff) == 9)
            seen |= 1u << (fake_config_read(&machine, c + 3, 1) & 0xff);
        assert(++count < 10);
    }
    assert(seen == 0x3e && count == 6);

    /* The window of the PCI configuration capability reaches the BAR. */
    unsigned window = machine.device->window_capability;
    fake_config_write(&machine, window + 8, 4, STATUS);
    fake_config_write(&machine, window + 12, 4, 1);
    fake_config_write(&machine, window + 16, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    assert(status() == VIRTIO_CONFIG_S_ACKNOWLEDGE && (fake_config_read(&machine, window + 16, 1) & 0xff) == 1);
    fake_config_write(&machine, window + 8, 4, 0xfffffffe);
    fake_config_read(&machine, window + 16, 1);
}

static void test_msix(void) {
    with_rng();
    struct msix *msix = &machine.device->msix;
    unsigned control = machine.device->msix_capability + 2;
    assert((fake_config_read(&machine, control, 2) & 0xffff) == 1); /* two vectors */
    msix_fire(msix, 0);
    assert(machine.interrupts[0] == 0 && fake_bar_read(&machine, MSIX_PENDING, 8) == 0); /* disabled: forgotten */
    fake_config_write(&machine, control, 2, 0x8000);
    msix_fire(msix, 0);
    assert(machine.interrupts[0] == 0 && fake_bar_read(&machine, MSIX_PENDING, 4) == 1); /* masked: kept */
    fake_bar_write(&machine, MSIX_TABLE + 12, 4, 0);
    assert(machine.interrupts[0] == 1 && fake_bar_read(&machine, MSIX_PENDING, 8) == 0);
    fake_config_write(&machine, control, 2, 0xc000); /* the whole function */
    msix_fire(msix, 0);
    msix_fire(msix, 0);
    assert(machine.interrupts[0] == 1);
    fake_config_write(&machine, control, 2, 0x8000);
    assert(machine.interrupts[0] == 2);
    msix_fire(msix, 2);
    msix_fire(msix, 0xffff);
    fake_bar_write(&machine, MSIX_TABLE + 32, 4, 1); /* behind the last entry */
    fake_bar_write(&machine, MSIX_TABLE + 2, 2, 1);
    assert(fake_bar_read(&machine, MSIX_TABLE, 4) == 0);
}

static void test_transport(void) {
    with_rng();
    /* Vectors start as none, keep what exists, and turn to none for what does not. */
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_MSIX, 2) == 0xffff);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_Q_MSIX, 2) == 0xffff);
    fake_bar_write(&machine, VIRTIO_PCI_COMMON_MSIX, 2, 1);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_MSIX, 2) == 1);
    fake_bar_write(&machine, VIRTIO_PCI_COMMON_MSIX, 2, 2);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_MSIX, 2) == 0xffff);
    /* A queue that is not there has size 0; only the right width answers. */
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_Q_SIZE, 2) == 64);
    fake_bar_write(&machine, VIRTIO_PCI_COMMON_Q_SELECT, 2, 7);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_Q_SIZE, 2) == 0);
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_Q_SIZE, 4) == 0);
    /* Without VERSION_1, or with what was not offered, the features do not stick; without them no DRIVER_OK. */
    fake_bar_write(&machine, STATUS, 1, 3);
    fake_bar_write(&machine, STATUS, 1, 11);
    assert(status() == 3);
    fake_bar_write(&machine, STATUS, 1, 7);
    assert(status() == 3);
    fake_bar_write(&machine, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
    fake_bar_write(&machine, VIRTIO_PCI_COMMON_GF, 4, 0x80000001);
    fake_bar_write(&machine, STATUS, 1, 11);
    assert(status() == 3);
    fake_bar_write(&machine, VIRTIO_PCI_COMMON_GF, 4, 1);
    fake_bar_write(&machine, STATUS, 1, 11);
    assert(status() == 11);
    fake_bar_write(&machine, VIRTIO_PCI_COMMON_GF, 4, 0); /* frozen by now */
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_GF, 4) == 1);
    /* A queue that does not lie in memory makes the device ask for a reset; the reset works. */
    static const uint64_t bad[][3] = {{8, 0x1000, 0x1800},        {0x1000, 0x2001, 0x1800},    {0x1000, 0x2000, 0x2802},
                                      {RAM_SIZE - 16, 0x2000, 0x2800}, {0x1000, UINT32_MAX - 1, 0x2800},
                                      {0x1000, 0x2000, RAM_SIZE}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        fake_bar_write(&machine, STATUS, 1, 0);
        assert(status() == 0);
        fake_bar_write(&machine, VIRTIO_PCI_COMMON_GFSELECT, 4, 1);
        fake_bar_write(&machine, VIRTIO_PCI_COMMON_GF, 4, 1);
        fake_bar_write(&machine, STATUS, 1, 11);
        fake_bar_write(&machine, VIRTIO_PCI_COMMON_Q_DESCLO, 4, bad[i][0]);
        fake_bar_write(&machine, VIRTIO_PCI_COMMON_Q_AVAILLO, 4, bad[i][1]);
        fake_bar_write(&machine, VIRTIO_PCI_COMMON_Q_USEDLO, 4, bad[i][2]);
        fake_bar_write(&machine, VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
        assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
        fake_bar_write(&machine, STATUS, 1, 15);
        fake_bar_write(&machine, NOTIFY, 2, 0);
        fake_turn(&machine);
    }
    fake_drive(&machine, 0, 3); /* no power of two */
    assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
    fake_drive(&machine, 0, 128); /* more than it can */
    assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
}

static void test_rng(void) {
    uint32_t head, written;
    with_rng();
    for (int event_index = 0; event_index < 2; event_index++) {
        fake_drive(&machine, (uint64_t)event_index << VIRTIO_RING_F_EVENT_IDX, 8);
        unsigned before = machine.interrupts[0];
        for (unsigned round = 0; round < 40; round++) { /* more than the ring holds */
            uint8_t *bytes = fake_ram(&machine, BUFFERS, 64), none[64] = {0};
            memset(bytes, 0, 64);
            if (event_index) /* "tell me of the next one" */
                memcpy(fake_ram(&machine, QUEUE_AT(0) + AVAILABLE + 4 + 16, 2), &machine.seen[0], 2);
            fake_descriptor(&machine, 0, round % 8, BUFFERS, 64, WRITE, 0);
            fake_offer(&machine, 0, round % 8);
            fake_turn(&machine);
            assert(fake_taken(&machine, 0, &head, &written) && head == round % 8 && written == 64);
            assert(memcmp(bytes, none, 64) != 0);
            assert(machine.interrupts[0] == before + round + 1);
        }
    }
    /* The guest may wish not to be told. */
    fake_drive(&machine, 0, 8);
    unsigned before = machine.interrupts[0];
    *fake_ram(&machine, QUEUE_AT(0) + AVAILABLE, 1) = VRING_AVAIL_F_NO_INTERRUPT;
    fake_descriptor(&machine, 0, 0, BUFFERS, 64, WRITE, 0);
    fake_offer(&machine, 0, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 0, &head, &written) && machine.interrupts[0] == before);
    /* Paused, nothing is touched; what came meanwhile is done after. */
    assert(virtio_set_start(&machine.set) == 0);
    virtio_set_pause(&machine.set);
    fake_offer(&machine, 0, 0);
    assert(!fake_taken(&machine, 0, &head, &written));
    virtio_set_resume(&machine.set);
    while (!fake_taken(&machine, 0, &head, &written))
        usleep(1000);
    virtio_set_stop(&machine.set);
}

/* Every kind of nonsense in a ring ends in "needs reset", with an interrupt, and a reset mends it. */
static void test_hostile_rings(void) {
    uint32_t head, written;
    with_rng();
    for (int kind = 0; kind < 14; kind++) {
        fake_drive(&machine, 1ull << VIRTIO_RING_F_INDIRECT_DESC, 8);
        unsigned before = machine.interrupts[1];
        uint16_t first = 0;
        uint8_t *table = fake_ram(&machine, BUFFERS, 64);
        struct vring_desc inner = {BUFFERS + 0x100, 16, WRITE, 0};
        memcpy(table, &inner, 16);
        switch (kind) {
        case 0: fake_descriptor(&machine, 0, 0, RAM_SIZE - 8, 16, WRITE, 0); break; /* over the end */
        case 1: fake_descriptor(&machine, 0, 0, UINT64_MAX - 8, 16, WRITE, 0); break;
        case 2: fake_descriptor(&machine, 0, 0, HIGH_START - 8, 16, WRITE, 0); break;
        case 3: fake_descriptor(&machine, 0, 0, BUFFERS, UINT32_MAX, WRITE, 0); break;
        case 4: fake_descriptor(&machine, 0, 0, BUFFERS, 16, WRITE | NEXT, 0); break; /* a loop of one */
        case 5: fake_descriptor(&machine, 0, 0, BUFFERS, 16, WRITE | NEXT, 8); break; /* beyond the table */
        case 6: first = 8; break;
        case 7: fake_descriptor(&machine, 0, 0, BUFFERS, 16, WRITE | NEXT, 1); /* written, then read */
                fake_descriptor(&machine, 0, 1, BUFFERS, 16, 0, 0); break;
        case 8: fake_descriptor(&machine, 0, 0, BUFFERS, 16, INDIRECT | NEXT, 1); break;
        case 9: fake_descriptor(&machine, 0, 0, BUFFERS, 15, INDIRECT, 0); break;
        case 10: fake_descriptor(&machine, 0, 0, BUFFERS, 0, INDIRECT, 0); break;
        case 11: fake_descriptor(&machine, 0, 0, RAM_SIZE - 16, 32, INDIRECT, 0); break;
        case 12: inner.flags = INDIRECT; memcpy(table, &inner, 16); /* nested */
                 fake_descriptor(&machine, 0, 0, BUFFERS, 16, INDIRECT, 0); break;
        case 13: machine.available[0] = 9; break; /* more available than there are */
        }
        fake_offer(&machine, 0, first);
        fake_turn(&machine);
        assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
        assert(machine.interrupts[1] == before + 1 && !fake_taken(&machine, 0, &head, &written));
        fake_offer(&machine, 0, 0); /* it stays deaf */
        fake_turn(&machine);
        assert(machine.interrupts[1] == before + 1);
    }
    /* And a sound indirect table is served. */
    fake_drive(&machine, 1ull << VIRTIO_RING_F_INDIRECT_DESC, 8);
    struct vring_desc inner = {BUFFERS + 0x100, 16, WRITE, 0};
    memcpy(fake_ram(&machine, BUFFERS, 16), &inner, 16);
    fake_descriptor(&machine, 0, 3, BUFFERS, 16, INDIRECT, 0);
    fake_offer(&machine, 0, 3);
    fake_turn(&machine);
    assert(fake_taken(&machine, 0, &head, &written) && head == 3 && written == 16);
}

#define DISK_SIZE (1u << 20)

static int disk_fd;
static bool on_threads; /* and not on io_uring */

static struct virtio_device *disk(uint32_t queues, bool read_only, struct nl_rate_limiter limiter) {
    struct nl_disk_config config = {
        .queues = queues, .queue_size = 16, .read_only = read_only, .discard = 1, .limiter = limiter};
    config.disable_io_uring = on_threads;
    strcpy(config.serial, "disk-0123456789");
    disk_fd = memfd_create("disk", 0);
    assert(ftruncate(disk_fd, DISK_SIZE) == 0);
    return block_create(&config, block_raw_open(dup(disk_fd)));
}

/* Header at BUFFERS, status at BUFFERS + 16, data from BUFFERS + 0x200 on. */
static void offer_request(unsigned queue, uint32_t type, uint64_t sector, uint32_t size, bool in) {
    struct virtio_blk_outhdr header = {.type = type, .sector = sector};
    memcpy(fake_ram(&machine, BUFFERS, 16), &header, 16);
    *fake_ram(&machine, BUFFERS + 16, 1) = 0xee;
    fake_descriptor(&machine, queue, 0, BUFFERS, 16, NEXT, size > 0 ? 1 : 2);
    fake_descriptor(&machine, queue, 1, BUFFERS + 0x200, size, NEXT | (in ? WRITE : 0), 2);
    fake_descriptor(&machine, queue, 2, BUFFERS + 16, 1, WRITE, 0);
    fake_offer(&machine, queue, 0);
}

static uint8_t request(unsigned queue, uint32_t type, uint64_t sector, uint32_t size, bool in, uint32_t *written) {
    uint32_t head;
    offer_request(queue, type, sector, size, in);
    fake_turn(&machine);
    assert(fake_taken(&machine, queue, &head, written) && head == 0);
    return *fake_ram(&machine, BUFFERS + 16, 1);
}

static void test_block(void) {
    uint32_t written;
    fake_init(&machine);
    fake_add(&machine, disk(2, false, (struct nl_rate_limiter){0}));
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 8) == DISK_SIZE / 512);
    fake_drive(&machine, UINT64_MAX & ~(1ull << VIRTIO_RING_F_EVENT_IDX), 16);
    uint8_t *data = fake_ram(&machine, BUFFERS + 0x200, 4096), disk_data[4096], zeroes[4096] = {0};
    for (unsigned i = 0; i < 4096; i++)
        data[i] = (uint8_t)(i * 13);
    assert(request(1, VIRTIO_BLK_T_OUT, 8, 4096, false, &written) == VIRTIO_BLK_S_OK && written == 1);
    assert(pread(disk_fd, disk_data, 4096, 4096) == 4096 && memcmp(disk_data, data, 4096) == 0);
    memset(data, 0, 4096);
    assert(request(0, VIRTIO_BLK_T_IN, 8, 4096, true, &written) == VIRTIO_BLK_S_OK && written == 4097);
    assert(memcmp(disk_data, data, 4096) == 0);
    assert(request(0, VIRTIO_BLK_T_FLUSH, 0, 0, false, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_GET_ID, 0, 20, true, &written) == VIRTIO_BLK_S_OK && written == 21);
    assert(memcmp(data, "disk-0123456789", 16) == 0);
    /* Bounds: the last sector, one too far, numbers that wrap around, no whole sectors. */
    assert(request(0, VIRTIO_BLK_T_IN, DISK_SIZE / 512 - 1, 512, true, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_IN, DISK_SIZE / 512 - 1, 1024, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, DISK_SIZE / 512, 512, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, UINT64_MAX, 512, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_OUT, 1ull << 55, 512, false, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, 0, 511, true, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, 4711, 0, 512, true, &written) == VIRTIO_BLK_S_UNSUPP);
    /* Discard and write zeroes. */
    struct virtio_blk_discard_write_zeroes range = {.sector = 8, .num_sectors = 8};
    memcpy(data, &range, sizeof(range));
    assert(request(0, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, &written) == VIRTIO_BLK_S_OK);
    assert(pread(disk_fd, disk_data, 4096, 4096) == 4096 && memcmp(disk_data, zeroes, 4096) == 0);
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 16, false, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 15, false, &written) == VIRTIO_BLK_S_IOERR);
    range.sector = DISK_SIZE / 512 - 1;
    memcpy(data, &range, sizeof(range));
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 16, false, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, false, &written) == VIRTIO_BLK_S_IOERR);
    /* The disk becomes shorter than it was: an error, no endless loop. */
    assert(ftruncate(disk_fd, 4096) == 0);
    assert(request(0, VIRTIO_BLK_T_IN, 64, 512, true, &written) == VIRTIO_BLK_S_IOERR);
    /* A chain with nowhere to put the status. */
    fake_descriptor(&machine, 0, 0, BUFFERS, 16, 0, 0);
    fake_offer(&machine, 0, 0);
    fake_turn(&machine);
    assert(status() & VIRTIO_CONFIG_S_NEEDS_RESET);
    fake_close(&machine);

    fake_init(&machine);
    fake_add(&machine, disk(1, true, (struct nl_rate_limiter){0}));
    fake_drive(&machine, UINT64_MAX & ~(1ull << VIRTIO_RING_F_EVENT_IDX), 16);
    assert(machine.device->offered >> VIRTIO_BLK_F_RO & 1);
    assert(request(0, VIRTIO_BLK_T_OUT, 0, 512, false, &written) == VIRTIO_BLK_S_IOERR);
    assert(request(0, VIRTIO_BLK_T_IN, 0, 512, true, &written) == VIRTIO_BLK_S_OK);
    assert(request(0, VIRTIO_BLK_T_DISCARD, 0, 16, false, &written) == VIRTIO_BLK_S_UNSUPP);
}

static void await_taken(unsigned queue) {
    uint32_t head, written;
    while (!fake_taken(&machine, queue, &head, &written))
        usleep(100);
}

/* The threads at work: many rounds on two queues, resets and pauses in between. */
static void test_block_threads(void) {
    fake_init(&machine);
    fake_add(&machine, disk(2, false, (struct nl_rate_limiter){0}));
    for (int boot = 0; boot < 3; boot++) {
        assert(virtio_set_start(&machine.set) == 0);
        fake_drive(&machine, 0, 16);
        for (unsigned round = 0; round < 500; round++) {
            offer_request(round % 2, VIRTIO_BLK_T_IN, round, 512, true);
            if (round % 50 == 7) {
                virtio_set_pause(&machine.set);
                virtio_set_resume(&machine.set);
            }
            await_taken(round % 2);
            assert(*fake_ram(&machine, BUFFERS + 16, 1) == VIRTIO_BLK_S_OK);
            if (round % 100 == 99) {
                offer_request(0, VIRTIO_BLK_T_IN, 0, 512, true);
                fake_drive(&machine, 0, 16); /* resets with a request under way */
            }
        }
        virtio_set_stop(&machine.set);
        virtio_set_reset(&machine.set);
    }
}

static void test_block_rate(void) {
    uint32_t head, written;
    struct nl_rate_limiter limiter = {.ops = {.size = 5, .refill_ms = 500}};
    fake_init(&machine);
    fake_add(&machine, disk(1, false, limiter));
    fake_drive(&machine, 0, 16);
    unsigned done = 0;
    for (unsigned i = 0; i < 8; i++)
        offer_request(0, VIRTIO_BLK_T_FLUSH, 0, 0, false);
    fake_turn(&machine);
    while (fake_taken(&machine, 0, &head, &written))
        done++;
    assert(done == 5 && counted(&machine.device->counters[BLOCK_LIMITED].value) > 0);
    assert(virtio_set_start(&machine.set) == 0); /* the timer brings the rest */
    for (; done < 8; done++)
        await_taken(0);
    virtio_set_stop(&machine.set);
}

static void test_block_without_ring(void) {
    on_threads = true;
    test_block();
}

static void test_block_threads_without_ring(void) {
    on_threads = true;
    test_block_threads();
}

static void test_block_rate_without_ring(void) {
    on_threads = true;
    test_block_rate();
}

static void test_rate_limiter(void) {
    struct rate_limiter limiter;
    struct nl_rate_limiter config = {.bandwidth = {.size = 1000, .one_time_burst = 500, .refill_ms = 100},
                                     .ops = {.size = 10, .refill_ms = 1000}};
    const uint64_t ms = 1000000;
    rate_limiter_init(&limiter, &config, 0);
    assert(rate_limiter_take(&limiter, 1500, 0) == 0); /* the burst and the bucket */
    uint64_t wait = rate_limiter_take(&limiter, 100, 0);
    assert(wait >= 10 * ms && wait <= 10 * ms + 1);
    assert(rate_limiter_take(&limiter, 100, wait) == 0);
    assert(rate_limiter_take(&limiter, 1, wait) > 0);
    /* A request larger than the bucket goes when it is full, and what follows pays for it. */
    assert(rate_limiter_take(&limiter, 3000, 200 * ms) == 0);
    wait = rate_limiter_take(&limiter, 1, 200 * ms);
    assert(wait > 199 * ms && wait < 201 * ms);
    /* Operations: ten at once, then one each 100 ms. */
    config.bandwidth.size = 0;
    rate_limiter_init(&limiter, &config, 0);
    for (int i = 0; i < 10; i++)
        assert(rate_limiter_take(&limiter, 1 << 20, 0) == 0);
    wait = rate_limiter_take(&limiter, 1, 0);
    assert(wait > 99 * ms && wait < 101 * ms && rate_limiter_take(&limiter, 1, 100 * ms) == 0);
    /* A clock that stands still or goes back gives nothing; one that jumps fills the bucket once. */
    assert(rate_limiter_take(&limiter, 1, 50 * ms) > 0);
    for (int i = 0; i < 10; i++)
        assert(rate_limiter_take(&limiter, 1, UINT64_MAX / 2) == 0);
    assert(rate_limiter_take(&limiter, 1, UINT64_MAX / 2) > 0);
    memset(&config, 0, sizeof(config));
    rate_limiter_init(&limiter, &config, 0);
    assert(!rate_limiter_limits(&limiter));
}

static int wire; /* the far end of the tap */

static void with_net(struct nl_rate_limiter limiter) {
    int ends[2];
    struct nl_net_config config = {
        .pairs = 1, .queue_size = 16, .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1400, .limiter = limiter};
    assert(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0);
    config.tap_fds[0] = ends[0];
    wire = ends[1];
    fake_init(&machine);
    fake_add(&machine, net_create(&config));
}

static void test_console(void) {
    static char read_back[100000];
    int ends[2];
    uint32_t head, written;
    fake_init(&machine);
    assert(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    fake_add(&machine, virtio_console_create(ends[0]));
    virtio_console_resize(machine.device, 132, 43);
    assert(virtio_console_input(machine.device, (const uint8_t *)"early", 5) == 5);
    fake_turn(&machine);
    fake_drive(&machine, UINT64_MAX, 16);
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 4) == (43u << 16 | 132));
    /* What was typed before the driver came is lost with the reset; later input waits for buffers, over several. */
    static uint8_t typed[5000];
    memset(typed, 'k', sizeof(typed));
    assert(virtio_console_input(machine.device, typed, sizeof(typed)) == 4096);
    fake_turn(&machine);
    for (unsigned i = 0; i < 5; i++) {
        fake_descriptor(&machine, 0, i, BUFFERS, 1000, WRITE, 0);
        fake_offer(&machine, 0, i);
    }
    fake_turn(&machine);
    for (unsigned i = 0; i < 5; i++)
        assert(fake_taken(&machine, 0, &head, &written) && head == i && written == (i < 4 ? 1000 : 96));
    assert(fake_ram(&machine, BUFFERS, 1)[0] == 'k' && virtio_console_input(machine.device, typed, 5) == 5);
    /* The reader is slow: buffers wait with it, and nothing is lost. */
    unsigned interrupts = machine.interrupts[1];
    size_t total = 0;
    for (unsigned i = 0; i < 16; i++) {
        memset(fake_ram(&machine, BUFFERS + 0x400 * i, 0x400), 'a' + (int)i, 0x400);
        fake_descriptor(&machine, 1, i, BUFFERS, 0x4000, 0, 0);
    }
    for (unsigned i = 0; i < 16; i++)
        fake_offer(&machine, 1, i);
    for (unsigned turns = 0; total < 16 * 0x4000; turns++) {
        fake_turn(&machine);
        ssize_t got = read(ends[1], read_back, sizeof(read_back));
        assert(got > 0 && turns < 1000);
        for (ssize_t k = 0; k < got; k++)
            assert(read_back[k] == 'a' + (char)((total + (size_t)k) / 0x400 % 16));
        total += (size_t)got;
    }
    fake_turn(&machine);
    for (unsigned i = 0; i < 16; i++)
        assert(fake_taken(&machine, 1, &head, &written) && head == i && written == 0);
    assert(machine.interrupts[1] > interrupts && machine.device->counters[2].value == 0);
    /* A reset in the middle of a buffer, and a reader that is gone. */
    for (unsigned i = 0; i < 16; i++)
        fake_offer(&machine, 1, i);
    fake_turn(&machine);
    virtio_set_reset(&machine.set);
    fake_turn(&machine);
    close(ends[1]);
    fake_turn(&machine);
    fake_drive(&machine, UINT64_MAX, 16);
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 2) == 132);
    fake_descriptor(&machine, 1, 0, BUFFERS, 100, 0, 0);
    fake_offer(&machine, 1, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 1, &head, &written) && machine.device->counters[2].value == 100);
}

static unsigned ended;

static void end(void *opaque, enum nl_event_kind kind) {
    (void)opaque;
    assert(kind == NL_EVENT_WATCHDOG);
    ended++;
}

static void test_watchdog(void) {
    struct watchdog watchdog = {0};
    with_rng();
    assert(watchdog_init(&watchdog, &machine.set.loop, (struct end_hook){end, NULL}) == 0);
    struct pio_device ports = watchdog_ports;
    ports.device = &watchdog;
    assert(bus_add_pio(&machine.bus, &ports));
    assert(port(false, 0x620, 1, 0) == 0 && port(false, 0x624, 4, 0) == 300 && port(false, 0x628, 4, 0) == 0);
    port(true, 0x624, 4, 0);
    assert(port(false, 0x624, 4, 0) == 1);
    port(true, 0x624, 4, UINT32_MAX);
    assert(port(false, 0x624, 4, 0) == 0xffff);
    port(true, 0x620, 1, 1);
    assert((uint8_t)port(false, 0x620, 1, 0) == 1 && port(false, 0x628, 4, 0) >= 0xfff0);
    port(true, 0x624, 4, 1); /* 100 ms */
    watchdog_pause(&watchdog);
    assert(loop_turn(&machine.set.loop, 200) == 0 && ended == 0);
    watchdog_resume(&watchdog);
    assert(loop_turn(&machine.set.loop, 20000) == 1 && ended == 1);
    assert((uint8_t)port(false, 0x620, 1, 0) == 0 && (uint8_t)port(false, 0x622, 1, 0) == 1);
    watchdog_reset(&watchdog);
    assert((uint8_t)port(false, 0x622, 1, 0) == 1 && port(false, 0x624, 4, 0) == 300);
    port(true, 0x622, 1, 0);
    assert((uint8_t)port(false, 0x622, 1, 0) == 0);
    watchdog_close(&watchdog);
}

static void test_net_pairs(void) {
    int ends[2][2];
    uint8_t packet[100] = {0}, *memory, *command;
    uint32_t head, written;
    struct nl_net_config config = {.pairs = 2, .queue_size = 16, .mac = {2, 0, 0, 0, 0, 1}};
    for (unsigned i = 0; i < 2; i++) {
        assert(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends[i]) == 0);
        config.tap_fds[i] = ends[i][0];
    }
    fake_init(&machine);
    fake_add(&machine, net_create(&config));
    assert(fake_bar_read(&machine, VIRTIO_PCI_COMMON_NUMQ, 2) == 5 && fake_bar_read(&machine, DEVICE_CONFIG + 8, 2) == 2);
    fake_drive(&machine, 1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_NET_F_CTRL_VQ, 16);
    memory = fake_ram(&machine, BUFFERS, 0x4000);
    fake_descriptor(&machine, 2, 0, BUFFERS, 2048, WRITE, 0);
    fake_offer(&machine, 2, 0);
    assert(write(ends[1][1], packet, 100) == 100);
    fake_turn(&machine); /* the second pair is not in use yet */
    assert(!fake_taken(&machine, 2, &head, &written));
    command = memory + 0x1000;
    for (unsigned pairs = 0; pairs <= 3; pairs++) { /* one pair and two there are, no others */
        const uint8_t words[] = {VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, (uint8_t)(3 - pairs), 0, 0xff};
        memcpy(command, words, sizeof(words));
        fake_descriptor(&machine, 4, 0, BUFFERS + 0x1000, 4, NEXT, 1);
        fake_descriptor(&machine, 4, 1, BUFFERS + 0x1004, 1, WRITE, 0);
        fake_offer(&machine, 4, 0);
        fake_turn(&machine);
        assert(fake_taken(&machine, 4, &head, &written) && written == 1);
        assert(command[4] == (3 - pairs == 1 || 3 - pairs == 2 ? VIRTIO_NET_OK : VIRTIO_NET_ERR));
        if (3 - pairs == 2)
            assert(fake_taken(&machine, 2, &head, &written) && written == 100);
    }
    /* What the second pair sends goes out of the second descriptor. */
    fake_descriptor(&machine, 3, 0, BUFFERS, 60, 0, 0);
    fake_offer(&machine, 3, 0);
    fake_turn(&machine);
    assert(read(ends[1][1], packet, 100) == 60 && read(ends[0][1], packet, 100) == -1);
    /* Without VIRTIO_NET_F_MQ the control queue is the third, and knows no command. */
    fake_drive(&machine, 1ull << VIRTIO_NET_F_CTRL_VQ, 16);
    command[4] = 0xff;
    fake_descriptor(&machine, 2, 0, BUFFERS + 0x1000, 4, NEXT, 1);
    fake_descriptor(&machine, 2, 1, BUFFERS + 0x1004, 1, WRITE, 0);
    fake_offer(&machine, 2, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 2, &head, &written) && command[4] == VIRTIO_NET_ERR);
}

static void test_net(void) {
    uint8_t packet[3000], *memory;
    uint32_t head, written;
    with_net((struct nl_rate_limiter){0});
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 4) == 2 && fake_bar_read(&machine, DEVICE_CONFIG + 10, 2) == 1400);
    for (size_t i = 0; i < sizeof(packet); i++)
        packet[i] = (uint8_t)(i * 7);
    assert(write(wire, packet, 1000) == 1000); /* before there is a driver: waits */
    fake_turn(&machine);
    fake_drive(&machine, 1ull << VIRTIO_NET_F_MRG_RXBUF, 16);
    memory = fake_ram(&machine, BUFFERS, 0x4000);
    fake_turn(&machine); /* no buffers */
    assert(!fake_taken(&machine, 0, &head, &written));
    fake_descriptor(&machine, 0, 0, BUFFERS, 2048, WRITE, 0);
    fake_offer(&machine, 0, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 0, &head, &written) && written == 1000);
    assert(memory[10] == 1 && memory[11] == 0 && memcmp(memory + 12, packet + 12, 988) == 0);
    /* One packet over three buffers, once all three are there. */
    assert(write(wire, packet, 3000) == 3000);
    for (unsigned i = 1; i <= 3; i++) {
        fake_descriptor(&machine, 0, i, BUFFERS + 0x1000 * (i - 1), 1024, WRITE, 0);
        assert(!fake_taken(&machine, 0, &head, &written));
        fake_offer(&machine, 0, i);
        fake_turn(&machine);
    }
    for (unsigned i = 1; i <= 3; i++)
        assert(fake_taken(&machine, 0, &head, &written) && head == i && written == (i < 3 ? 1024 : 952));
    assert(memory[10] == 3 && memcmp(memory + 0x1000, packet + 1024, 1024) == 0);
    assert(memcmp(memory + 0x2000, packet + 2048, 952) == 0);
    /* Out, from several pieces. */
    memcpy(memory, packet, 100);
    fake_descriptor(&machine, 1, 0, BUFFERS, 12, NEXT, 1);
    fake_descriptor(&machine, 1, 1, BUFFERS + 12, 88, 0, 0);
    fake_offer(&machine, 1, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 1, &head, &written) && written == 0);
    assert(read(wire, packet, sizeof(packet)) == 100 && memcmp(packet, memory, 100) == 0);
    /* A driver without mergeable buffers loses what does not fit its buffer, and nothing else. */
    fake_drive(&machine, 0, 16);
    assert(write(wire, packet, 1000) == 1000 && write(wire, packet, 60) == 60);
    fake_descriptor(&machine, 0, 0, BUFFERS, 100, WRITE, 0);
    fake_descriptor(&machine, 0, 1, BUFFERS, 100, WRITE, 0);
    fake_offer(&machine, 0, 0);
    fake_offer(&machine, 0, 1);
    fake_turn(&machine);
    assert(fake_taken(&machine, 0, &head, &written) && written == 0);
    assert(fake_taken(&machine, 0, &head, &written) && written == 60);
    /* Chains without room or content. */
    fake_descriptor(&machine, 0, 0, BUFFERS, 100, 0, 0);
    fake_offer(&machine, 0, 0);
    assert(write(wire, packet, 60) == 60);
    fake_descriptor(&machine, 1, 0, BUFFERS, 100, WRITE, 0);
    fake_offer(&machine, 1, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 0, &head, &written) && fake_taken(&machine, 1, &head, &written));
    /* The far end goes away: no spinning, no crash. */
    close(wire);
    fake_turn(&machine);
    assert(loop_turn(&machine.set.loop, 0) == 0);
    fake_close(&machine);

    with_net((struct nl_rate_limiter){.ops = {.size = 3, .refill_ms = 60000}});
    fake_drive(&machine, 0, 16);
    unsigned sent = 0;
    for (unsigned i = 0; i < 5; i++) {
        fake_descriptor(&machine, 1, i, BUFFERS, 100, 0, 0);
        fake_offer(&machine, 1, i);
    }
    fake_turn(&machine);
    while (fake_taken(&machine, 1, &head, &written))
        sent++;
    assert(sent == 3);
}

static void test_balloon(void) {
    struct nl_balloon_config config = {.size = 1 << 20, .deflate_on_oom = 1, .free_page_reporting = 1};
    uint32_t pages[] = {0x20, 0x21, 0x23, 0xfffff, 0xffffffff}, head, written;
    fake_init(&machine);
    /* Memory like the machine's: in pages that can be dropped. */
    free(machine.memory.regions[0].host);
    uint8_t *ram = machine.memory.regions[0].host =
        mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert(ram != MAP_FAILED);
    fake_add(&machine, balloon_create(&config));
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 4) == 256 && fake_bar_read(&machine, DEVICE_CONFIG + 8, 4) == 0);
    fake_drive(&machine, UINT64_MAX & ~(1ull << VIRTIO_RING_F_EVENT_IDX), 16);
    fake_bar_write(&machine, DEVICE_CONFIG, 4, 1); /* what the driver may not change, and what it may */
    fake_bar_write(&machine, DEVICE_CONFIG + 4, 4, 5);
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 4) == 256 && fake_bar_read(&machine, DEVICE_CONFIG + 4, 4) == 5);
    memset(ram + 0x20000, 0xaa, 0x6000);
    memcpy(fake_ram(&machine, BUFFERS, sizeof(pages)), pages, sizeof(pages));
    fake_descriptor(&machine, 0, 0, BUFFERS, sizeof(pages) + 2, 0, 0);
    fake_offer(&machine, 0, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 0, &head, &written));
    assert(ram[0x20000] == 0 && ram[0x21fff] == 0 && ram[0x22000] == 0xaa && ram[0x23000] == 0 && ram[0x24000] == 0xaa);
    assert(counted(&machine.device->counters[0].value) == 3 * 4096);
    /* Reported: whole pages only. */
    fake_descriptor(&machine, 2, 0, 0x24800, 0x1800, WRITE, 0);
    fake_offer(&machine, 2, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 2, &head, &written));
    assert(ram[0x24fff] == 0xaa && ram[0x25000] == 0 && ram[0x25fff] == 0);
    machine.memory.regions[0].host = NULL; /* not malloc's */
    munmap(ram, RAM_SIZE);
}

static char vsock_path[64];

static int unix_socket(const char *path, bool listening) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    if (listening)
        assert(bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 8) == 0);
    else
        assert(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

static void vsock_send(uint16_t operation, uint32_t host_port, uint32_t guest_port, uint32_t flags, const char *data) {
    struct virtio_vsock_hdr header = {.src_cid = 3, .dst_cid = 2, .src_port = guest_port, .dst_port = host_port,
                                      .len = (uint32_t)strlen(data), .type = 1, .op = operation, .flags = flags,
                                      .buf_alloc = 100};
    uint32_t head, written;
    memcpy(fake_ram(&machine, BUFFERS, 44), &header, 44);
    memcpy(fake_ram(&machine, BUFFERS + 44, strlen(data)), data, strlen(data));
    fake_descriptor(&machine, 1, 0, BUFFERS, 44 + (uint32_t)strlen(data), 0, 0);
    fake_offer(&machine, 1, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 1, &head, &written));
}

/* The next packet for the guest must be this; its data are returned. */
static const uint8_t *vsock_receive(uint16_t operation, struct virtio_vsock_hdr *header) {
    uint32_t head, written;
    fake_descriptor(&machine, 0, 0, BUFFERS + 0x1000, 1024, WRITE, 0);
    fake_offer(&machine, 0, 0);
    fake_turn(&machine);
    assert(fake_taken(&machine, 0, &head, &written) && written >= 44);
    memcpy(header, fake_ram(&machine, BUFFERS + 0x1000, 44), 44);
    assert(header->op == operation && header->len == written - 44 && header->src_cid == 2 && header->dst_cid == 3);
    return fake_ram(&machine, BUFFERS + 0x1000 + 44, header->len);
}

static void test_vsock(void) {
    struct virtio_vsock_hdr header;
    char folder[] = "/tmp/vsockXXXXXX", other[80], line[64] = "", many[200];
    assert(mkdtemp(folder) != NULL);
    snprintf(vsock_path, sizeof(vsock_path), "%s/v", folder);
    struct nl_vsock_config config = {.cid = 3, .listen_fd = unix_socket(vsock_path, true)};
    strcpy(config.path, vsock_path);
    fake_init(&machine);
    fake_add(&machine, vsock_create(&config));
    fake_drive(&machine, 0, 16);
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 8) == 3);
    /* From the host: CONNECT, OK, data both ways within the guest's credit, the end. */
    int client = unix_socket(vsock_path, false);
    assert(write(client, "CONNECT 52\nhello", 16) == 16);
    fake_turn(&machine);
    vsock_receive(VIRTIO_VSOCK_OP_REQUEST, &header);
    uint32_t port = header.src_port;
    assert(header.dst_port == 52 && header.buf_alloc > 0);
    vsock_send(VIRTIO_VSOCK_OP_RESPONSE, port, 52, 0, "");
    assert(read(client, line, sizeof(line)) > 0 && (uint32_t)atol(line + 3) == port && strncmp(line, "OK ", 3) == 0);
    assert(memcmp(vsock_receive(VIRTIO_VSOCK_OP_RW, &header), "hello", 5) == 0 && header.len == 5);
    vsock_send(VIRTIO_VSOCK_OP_RW, port, 52, 0, "answer");
    assert(read(client, line, sizeof(line)) == 6 && memcmp(line, "answer", 6) == 0);
    memset(many, 'x', sizeof(many));
    assert(write(client, many, sizeof(many)) == 200);
    fake_turn(&machine);
    vsock_receive(VIRTIO_VSOCK_OP_RW, &header);
    assert(header.len == 95); /* of the credit of 100 */
    vsock_send(VIRTIO_VSOCK_OP_CREDIT_REQUEST, port, 52, 0, "");
    vsock_receive(VIRTIO_VSOCK_OP_CREDIT_UPDATE, &header);
    assert(header.fwd_cnt == 6);
    vsock_send(VIRTIO_VSOCK_OP_SHUTDOWN, port, 52, 3, "");
    vsock_receive(VIRTIO_VSOCK_OP_RST, &header);
    assert(read(client, line, sizeof(line)) <= 0);
    close(client);
    /* From the guest: where nobody listens it is refused; else connected. */
    vsock_send(VIRTIO_VSOCK_OP_REQUEST, 7, 99, 0, "");
    vsock_receive(VIRTIO_VSOCK_OP_RST, &header);
    assert(header.src_port == 7 && header.dst_port == 99);
    snprintf(other, sizeof(other), "%s_7", vsock_path);
    int listener = unix_socket(other, true);
    vsock_send(VIRTIO_VSOCK_OP_REQUEST, 7, 99, 0, "");
    vsock_receive(VIRTIO_VSOCK_OP_RESPONSE, &header);
    int server = accept(listener, NULL, NULL);
    vsock_send(VIRTIO_VSOCK_OP_RW, 7, 99, 0, "from the guest");
    assert(read(server, line, sizeof(line)) == 14);
    close(server);
    fake_turn(&machine);
    vsock_receive(VIRTIO_VSOCK_OP_SHUTDOWN, &header);
    assert(header.flags == 3);
    fake_turn(&machine);
    vsock_receive(VIRTIO_VSOCK_OP_RST, &header);
    /* A guest that sends more than it may is cut off. */
    vsock_send(VIRTIO_VSOCK_OP_REQUEST, 7, 99, 0, "");
    vsock_receive(VIRTIO_VSOCK_OP_RESPONSE, &header);
    memset(fake_ram(&machine, BUFFERS + 44, 4000), 'y', 4000);
    uint64_t refused = counted(&machine.device->counters[3].value);
    for (unsigned i = 0; i < 2000 && counted(&machine.device->counters[3].value) == refused; i++) {
        struct virtio_vsock_hdr flood = {.src_cid = 3, .dst_cid = 2, .src_port = 99, .dst_port = 7, .len = 4000,
                                         .type = 1, .op = VIRTIO_VSOCK_OP_RW};
        uint32_t head, written;
        memcpy(fake_ram(&machine, BUFFERS, 44), &flood, 44);
        fake_descriptor(&machine, 1, 0, BUFFERS, 4044, 0, 0);
        fake_offer(&machine, 1, 0);
        fake_turn(&machine);
        assert(fake_taken(&machine, 1, &head, &written));
    }
    vsock_receive(VIRTIO_VSOCK_OP_RST, &header);
    /* Greetings that are none. */
    static const char *const bad[] = {"HELLO 1\n", "CONNECT \n", "CONNECT -1\n", "CONNECT 1x\n", "CONNECT 99999999999\n",
                                      "CONNECT 1 and a lot of other words that nobody wants\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        client = unix_socket(vsock_path, false);
        assert(write(client, bad[i], strlen(bad[i])) > 0);
        fake_turn(&machine);
        assert(read(client, line, sizeof(line)) <= 0);
        close(client);
    }
    close(listener);
    unlink(other);
    unlink(vsock_path);
    rmdir(folder);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"pci_config", test_pci_config},
    {"msix", test_msix},
    {"transport", test_transport},
    {"rng", test_rng},
    {"hostile_rings", test_hostile_rings},
    {"rate_limiter", test_rate_limiter},
    {"block", test_block},
    {"block_without_ring", test_block_without_ring},
    {"block_threads", test_block_threads},
    {"block_threads_without_ring", test_block_threads_without_ring},
    {"block_rate", test_block_rate},
    {"block_rate_without_ring", test_block_rate_without_ring},
    {"net", test_net},
    {"net_pairs", test_net_pairs},
    {"console", test_console},
    {"watchdog", test_watchdog},
    {"vsock", test_vsock},
    {"balloon", test_balloon},
};

int main(int argc, char **argv) {
    assert(argc == 2);
    for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
        if (strcmp(argv[1], tests[i].name) != 0)
            continue;
        tests[i].run();
        if (machine.device != NULL)
            fake_close(&machine);
        return 0;
    }
    return 2;
}
