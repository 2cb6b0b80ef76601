/* virtio-net on a socket in place of a tap, for virtio_driver.c. */
#include <assert.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio_driver.h"
#include "virtio/kinds.h"

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

void test_net_pairs(void) {
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

void test_net(void) {
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

static void offer_buffers(unsigned first, unsigned count, uint32_t size) {
    for (unsigned i = first; i < first + count; i++) {
        fake_descriptor(&machine, 0, i, BUFFERS + 0x400 * i, size, WRITE, 0);
        fake_offer(&machine, 0, (uint16_t)i);
    }
}

static void expect(unsigned first, unsigned count, uint32_t size, const uint8_t *packet) {
    const uint8_t *memory = fake_ram(&machine, BUFFERS, 0x4000);
    uint32_t head, written;
    assert(memory[0x400 * first + 10] == count && memory[0x400 * first + 11] == 0);
    for (unsigned i = first; i < first + count; i++) {
        uint32_t part = size < 0x400 ? size : 0x400, skip = i == first ? 12 : 0;
        assert(fake_taken(&machine, 0, &head, &written) && head == i && written == part);
        assert(memcmp(memory + 0x400 * i + skip, packet + skip, part - skip) == 0);
        packet += part;
        size -= part;
    }
    assert(size == 0);
}

/* Packets of all sizes in all orders: each whole, in as many buffers as it needs, and the next one in the next buffer. */
void test_net_sizes(void) {
    static const uint32_t sizes[] = {60, 1024, 1025, 3000, 3000, 100, 2048, 60, 3072, 61};
    uint8_t packet[3072];
    with_net((struct nl_rate_limiter){0});
    fake_drive(&machine, 1ull << VIRTIO_NET_F_MRG_RXBUF, 16);
    for (unsigned round = 0; round < 2; round++) { /* with buffers waiting for packets, and the other way round */
        unsigned buffer = 0;
        for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
            unsigned needed = (sizes[i] + 0x3ff) / 0x400;
            if (buffer + needed > 16)
                buffer = 0;
            for (size_t at = 0; at < sizes[i]; at++)
                packet[at] = (uint8_t)(at * 5 + i);
            if (round == 0)
                offer_buffers(buffer, needed, 0x400);
            assert(write(wire, packet, sizes[i]) == (ssize_t)sizes[i]);
            fake_turn(&machine);
            if (round == 1)
                offer_buffers(buffer, needed, 0x400);
            fake_turn(&machine);
            expect(buffer, needed, sizes[i], packet);
            buffer += needed;
        }
    }
    /* Many small ones after a large one, into buffers that all wait at once. */
    assert(write(wire, packet, 3072) == 3072);
    offer_buffers(0, 8, 0x400);
    for (unsigned i = 0; i < 5; i++)
        assert(write(wire, packet, 60 + i) == 60 + (ssize_t)i);
    fake_turn(&machine);
    expect(0, 3, 3072, packet);
    for (unsigned i = 0; i < 5; i++)
        expect(3 + i, 1, 60 + i, packet);
}

static void send_one(unsigned index, bool answered) {
    uint8_t packet[60] = {0};
    offer_buffers(index, 1, 0x400);
    fake_turn(&machine);
    machine.interrupts[0] = machine.interrupts[1] = 0;
    fake_descriptor(&machine, 1, index, BUFFERS, 100, 0, 0);
    fake_offer(&machine, 1, (uint16_t)index);
    if (answered)
        assert(write(wire, packet, sizeof(packet)) == sizeof(packet));
    loop_turn(&machine.set.loop, 0);
}

/* What the driver wants to be told of next. */
static void want(unsigned queue, uint16_t index) {
    memcpy(fake_ram(&machine, QUEUE_AT(queue) + AVAILABLE + 4 + 2 * 16, 2), &index, 2);
}

/* An answer brings the driver to look at what it sent: it is not told of that as well, unless it still wants to be. */
void test_net_answers(void) {
    with_net((struct nl_rate_limiter){0});
    fake_drive(&machine, 1ull << VIRTIO_NET_F_MRG_RXBUF | 1ull << VIRTIO_RING_F_EVENT_IDX, 16);
    send_one(0, false);
    assert(machine.interrupts[1] == 1); /* nothing else would tell it */
    want(1, 1);
    send_one(1, true);
    assert(machine.interrupts[0] == 1 && machine.interrupts[1] == 0);
    want(1, 2); /* it has looked */
    fake_turn(&machine);
    assert(machine.interrupts[1] == 0);
    want(0, 1);
    send_one(2, true);
    assert(machine.interrupts[0] == 1 && machine.interrupts[1] == 0);
    fake_turn(&machine); /* it has not looked */
    assert(machine.interrupts[1] == 1);
    want(0, 2);
    want(1, 3);
    send_one(3, true);
    virtio_set_pause(&machine.set); /* a snapshot must not miss it */
    assert(machine.interrupts[1] == 1);
    virtio_set_resume(&machine.set);
}
