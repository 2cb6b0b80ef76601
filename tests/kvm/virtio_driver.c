/* Drives the PCI bus and the virtio devices without KVM, under sanitizers. Usage: virtio_driver TEST */
#include <assert.h>
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "virtio_driver.h"
#include "virtio/kinds.h"

struct fake_machine machine;

void with_rng(void) {
    fake_init(&machine);
    fake_add(&machine, rng_create(open("/dev/urandom", O_RDONLY)));
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

static unsigned resets;

static void count_reset(void *opaque, enum nl_event_kind kind) {
    (void)opaque;
    assert(kind == NL_EVENT_RESET);
    resets++;
}

static void test_reset_control(void) {
    with_rng();
    machine.set.pci.end = (struct end_hook){count_reset, NULL};
    assert((port(false, 0xcf9, 1, 0) & 0xff) == 0);
    port(true, 0xcf9, 1, 0x02); /* how, not yet that */
    assert((port(false, 0xcf9, 1, 0) & 0xff) == 0x02 && resets == 0);
    port(true, 0xcf9, 1, 0x06);
    assert(resets == 1);
    port(true, 0xcf9, 1, 0xfe); /* on already; bits that are none */
    assert(resets == 1 && (port(false, 0xcf9, 1, 0) & 0xff) == 0x0e);
    port(true, 0xcf9, 1, 0);
    port(true, 0xcf8, 4, 0x80000600); /* the address goes over the same ports */
    port(true, 0xcf9, 2, 0x0606);
    port(true, 0xcf8, 2, 0x0606);
    assert(resets == 1 && port(false, 0xcf8, 4, 0) == 0x80000600);
    port(true, 0xcf9, 1, 0x0e);
    assert(resets == 2);
    virtio_set_reset(&machine.set);
    assert((port(false, 0xcf9, 1, 0) & 0xff) == 0);
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

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"pci_config", test_pci_config},
    {"reset_control", test_reset_control},
    {"msix", test_msix},
    {"transport", test_transport},
    {"rng", test_rng},
    {"hostile_rings", test_hostile_rings},
    {"rate_limiter", test_rate_limiter},
    {"block", test_block},
    {"block_group", test_block_group},
    {"block_without_ring", test_block_without_ring},
    {"block_threads", test_block_threads},
    {"block_threads_without_ring", test_block_threads_without_ring},
    {"block_by_vcpu", test_block_by_vcpu},
    {"block_rate", test_block_rate},
    {"block_rate_without_ring", test_block_rate_without_ring},
    {"net", test_net},
    {"net_pairs", test_net_pairs},
    {"net_sizes", test_net_sizes},
    {"net_answers", test_net_answers},
    {"console", test_console},
    {"watchdog", test_watchdog},
    {"vsock", test_vsock},
    {"balloon", test_balloon},
    {"slots", test_slots},
    {"remove_block", test_remove_block},
    {"remove_block_on_threads", test_remove_block_on_threads},
    {"remove_net", test_remove_net},
    {"add_while_paused", test_add_while_paused},
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
