/* virtio-vsock between a guest and UNIX sockets, for virtio_driver.c. */
#include <assert.h>
#include <linux/virtio_vsock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "virtio_driver.h"
#include "virtio/kinds.h"

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

void test_vsock(void) {
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
