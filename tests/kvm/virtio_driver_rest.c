/* Console, watchdog and balloon, for virtio_driver.c. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio_driver.h"
#include "virtio/kinds.h"
#include "watchdog.h"

void test_console(void) {
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
    unsigned interrupts = machine.interrupts[1];
    /* What the guest writes is out when its notification returns: no other thread has had a turn. */
    fake_descriptor(&machine, 1, 0, BUFFERS, 3, 0, 0);
    fake_offer(&machine, 1, 0);
    assert(fake_taken(&machine, 1, &head, &written) && read(ends[1], read_back, sizeof(read_back)) == 3);
    /* The reader is slow: buffers wait with it, and nothing is lost. */
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

void test_watchdog(void) {
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

void test_balloon(void) {
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
    assert(balloon_actual(machine.device) == 5 * 4096);
    balloon_resize(machine.device, 3 << 20); /* told at once, and to the next boot */
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 4) == 768 && machine.interrupts[3] == 1);
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
    virtio_set_reset(&machine.set);
    assert(fake_bar_read(&machine, DEVICE_CONFIG, 4) == 768 && balloon_actual(machine.device) == 0);
    machine.memory.regions[0].host = NULL; /* not malloc's */
    munmap(ram, RAM_SIZE);
}
