/* virtio-net on a socket in place of a tap, for virtio_driver.c. */
#include <assert.h>
#include <linux/virtio_net.h>
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
