/* The inside of the vsock device, shared by its two files. No KVM in here. */
#pragma once
#include <linux/virtio_vsock.h>

#include "virtio/virtio.h"

#define VSOCK_CONNECTIONS 64
#define VSOCK_BUFFER 65536u /* what the guest may send before it is told to go on */
#define VSOCK_LINE 32
#define VSOCK_HOST_CID 2

enum vsock_state {
    VSOCK_FREE,
    VSOCK_GREETING,   /* a client of the UNIX socket that has not said CONNECT yet */
    VSOCK_CONNECTING, /* the guest was asked */
    VSOCK_OPEN,
};

enum { VSOCK_RX_BYTES, VSOCK_TX_BYTES, VSOCK_CONNECTS, VSOCK_REFUSED };

struct vsock;

/* One stream: a UNIX socket here, a pair of ports there. Sockets are edge-triggered: the flags remember the edges. */
struct vsock_connection {
    struct loop_source socket;
    struct vsock *vsock;
    enum vsock_state state;
    uint32_t host_port, guest_port;
    bool readable, hung_up, end_read, end_told, end_from_guest;
    bool owes_request, owes_response, owes_credit;
    uint32_t guest_room, guest_taken, sent; /* the guest's buffer, what it took of it, what was sent to it */
    uint32_t taken, told_taken;             /* the same of ours */
    char line[VSOCK_LINE];
    unsigned line_size;
    uint8_t *buffer; /* what the UNIX socket has no room for yet */
    uint32_t buffer_start, buffer_size;
};

struct vsock {
    struct virtio_device device;
    uint64_t cid;
    char path[100];
    struct loop_source listener;
    uint32_t next_host_port;
    struct vsock_connection connections[VSOCK_CONNECTIONS];
    struct virtio_vsock_hdr refusals[VSOCK_CONNECTIONS]; /* resets for streams that there are not */
    unsigned refusal_count;
    uint8_t packet[VSOCK_BUFFER];
};

/* vsock_streams.c: the UNIX side. With the device's lock held. */
struct vsock_connection *vsock_find(struct vsock *vsock, uint32_t host_port, uint32_t guest_port);
struct vsock_connection *vsock_connect(struct vsock *vsock, uint32_t host_port, uint32_t guest_port);
void vsock_accept(struct vsock *vsock);
void vsock_drop(struct vsock_connection *connection);
/* False when the connection cannot go on. */
bool vsock_greet(struct vsock_connection *connection);
bool vsock_answer(struct vsock_connection *connection);
bool vsock_give(struct vsock_connection *connection, const uint8_t *data, uint32_t size);
bool vsock_flush(struct vsock_connection *connection);

/* vsock.c: in the loop, when a socket may have become ready. */
void vsock_on_socket(void *connection, uint32_t events);
