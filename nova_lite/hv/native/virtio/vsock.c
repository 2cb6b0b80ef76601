/* virtio-vsock: packets of the guest and for it. Virtual I/O Device 1.2, section 5.10. Streams only. */
#include "virtio/vsock.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "virtio/kinds.h"

#define QUEUE_SIZE 256
#define BATCH 256
#define HEADER_SIZE sizeof(struct virtio_vsock_hdr)

enum { RECEIVE, TRANSMIT, EVENT };

static const char *const counter_names[] = {"rx_bytes", "tx_bytes", "connects", "refused"};

static struct virtio_vsock_hdr header_for(struct vsock_connection *connection, uint16_t operation, uint32_t length) {
    connection->told_taken = connection->taken;
    connection->owes_credit = false;
    return (struct virtio_vsock_hdr){.src_cid = VSOCK_HOST_CID,
                                     .dst_cid = connection->vsock->cid,
                                     .src_port = connection->host_port,
                                     .dst_port = connection->guest_port,
                                     .len = length,
                                     .type = VIRTIO_VSOCK_TYPE_STREAM,
                                     .op = operation,
                                     .buf_alloc = VSOCK_BUFFER,
                                     .fwd_cnt = connection->taken};
}

/* The answer to a packet that belongs to no stream. Those that do not fit are forgotten: the guest times out. */
static void refuse(struct vsock *vsock, const struct virtio_vsock_hdr *packet) {
    count_shared(&vsock->device.counters[VSOCK_REFUSED].value, 1);
    if (packet->op == VIRTIO_VSOCK_OP_RST || vsock->refusal_count == VSOCK_CONNECTIONS)
        return;
    vsock->refusals[vsock->refusal_count++] = (struct virtio_vsock_hdr){.src_cid = VSOCK_HOST_CID,
                                                                        .dst_cid = vsock->cid,
                                                                        .src_port = packet->dst_port,
                                                                        .dst_port = packet->src_port,
                                                                        .type = packet->type,
                                                                        .op = VIRTIO_VSOCK_OP_RST};
}

/* End a stream from our side. */
static void abort_stream(struct vsock_connection *connection) {
    struct virtio_vsock_hdr of_guest = {.src_port = connection->guest_port,
                                        .dst_port = connection->host_port,
                                        .type = VIRTIO_VSOCK_TYPE_STREAM};
    if (connection->state >= VSOCK_CONNECTING && !connection->owes_request)
        refuse(connection->vsock, &of_guest);
    vsock_drop(connection);
}

/* The next packet that the stream has for the guest: its header, and its data in vsock->packet. */
static bool next_packet(struct vsock_connection *connection, size_t room, struct virtio_vsock_hdr *header) {
    struct vsock *vsock = connection->vsock;
    if (connection->owes_request || connection->owes_response) {
        *header = header_for(
            connection, connection->owes_request ? VIRTIO_VSOCK_OP_REQUEST : VIRTIO_VSOCK_OP_RESPONSE, 0);
        connection->owes_request = connection->owes_response = false;
        return true;
    }
    uint32_t credit = connection->guest_room - (connection->sent - connection->guest_taken);
    if (connection->state == VSOCK_OPEN && connection->readable && !connection->end_read && credit > 0 &&
        credit <= connection->guest_room && room > 0) {
        size_t size = room < sizeof(vsock->packet) ? room : sizeof(vsock->packet);
        ssize_t got = recv(connection->socket.fd, vsock->packet, size < credit ? size : credit, MSG_DONTWAIT);
        if (got > 0) {
            connection->sent += (uint32_t)got;
            count_shared(&vsock->device.counters[VSOCK_RX_BYTES].value, (uint64_t)got);
            *header = header_for(connection, VIRTIO_VSOCK_OP_RW, (uint32_t)got);
            return true;
        }
        connection->readable = false;
        connection->end_read = got == 0 || (errno != EAGAIN && errno != EINTR);
    }
    if (connection->state == VSOCK_OPEN && connection->end_read && !connection->end_told) {
        connection->end_told = true;
        *header = header_for(connection, VIRTIO_VSOCK_OP_SHUTDOWN, 0);
        header->flags = VIRTIO_VSOCK_SHUTDOWN_SEND | (connection->hung_up ? VIRTIO_VSOCK_SHUTDOWN_RCV : 0);
        return true;
    }
    if (!connection->owes_credit)
        return false;
    *header = header_for(connection, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0);
    return true;
}

/* Put what there is into the guest's buffers, as long as it has any. */
static void receive(struct vsock *vsock) {
    struct virtio_device *device = &vsock->device;
    struct virtqueue *queue = &device->queues[RECEIVE];
    struct chain chain;
    unsigned sent = 0, idle = 0;
    if (!virtio_running(device) || !queue->ready)
        return;
    do {
        virtqueue_hold_kicks(queue);
        for (unsigned turn = 0; idle < VSOCK_CONNECTIONS && sent < BATCH; turn = (turn + 1) % VSOCK_CONNECTIONS) {
            struct virtio_vsock_hdr header;
            if (!virtio_pop(device, RECEIVE, &chain))
                break;
            size_t room = chain.in_size > HEADER_SIZE ? (size_t)chain.in_size - HEADER_SIZE : 0;
            bool found = vsock->refusal_count > 0;
            if (found)
                header = vsock->refusals[--vsock->refusal_count];
            else
                found = vsock->connections[turn].state >= VSOCK_CONNECTING &&
                        next_packet(&vsock->connections[turn], room, &header);
            if (!found) {
                virtqueue_unpop(queue);
                idle++;
                continue;
            }
            idle = 0;
            bool whole = chain_write(&chain, &header, HEADER_SIZE) && chain_write(&chain, vsock->packet, header.len);
            virtqueue_push(queue, chain.head, whole ? (uint32_t)HEADER_SIZE + header.len : 0);
            sent++;
        }
    } while (idle < VSOCK_CONNECTIONS && sent < BATCH && virtqueue_await_kicks(queue));
    if (sent >= BATCH)
        virtio_kick(device, RECEIVE); /* others want their turn */
    virtio_tell(device, RECEIVE);
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++) {
        struct vsock_connection *connection = &vsock->connections[i];
        if (connection->state == VSOCK_OPEN && connection->end_told && connection->hung_up) {
            abort_stream(connection);
            virtio_kick(device, RECEIVE); /* for its reset */
        }
    }
}

/* A packet of a stream that there is. False: the stream is over. */
static bool handle(struct vsock_connection *connection, const struct virtio_vsock_hdr *header, const uint8_t *data) {
    connection->guest_room = header->buf_alloc;
    connection->guest_taken = header->fwd_cnt;
    switch (header->op) {
    case VIRTIO_VSOCK_OP_RESPONSE:
        return connection->state == VSOCK_CONNECTING && !connection->owes_request && vsock_answer(connection);
    case VIRTIO_VSOCK_OP_RW:
        count_shared(&connection->vsock->device.counters[VSOCK_TX_BYTES].value, header->len);
        return connection->state == VSOCK_OPEN && !connection->end_from_guest &&
               vsock_give(connection, data, header->len);
    case VIRTIO_VSOCK_OP_SHUTDOWN:
        if (header->flags & VIRTIO_VSOCK_SHUTDOWN_SEND)
            connection->end_from_guest = true;
        if (header->flags & VIRTIO_VSOCK_SHUTDOWN_RCV)
            connection->end_read = connection->end_told = true;
        /* Both: it waits for our reset, which it gets when all of its data has gone out. */
        return vsock_flush(connection) && !(connection->end_from_guest && connection->end_told &&
                                            connection->buffer_size == 0);
    case VIRTIO_VSOCK_OP_CREDIT_UPDATE:
        return true;
    case VIRTIO_VSOCK_OP_CREDIT_REQUEST:
        connection->owes_credit = true;
        return true;
    default: /* a request for what is open, or no operation at all */
        return false;
    }
}

static void dispatch(struct vsock *vsock, const struct virtio_vsock_hdr *header, const uint8_t *data) {
    if (header->src_cid != vsock->cid || header->dst_cid != VSOCK_HOST_CID ||
        header->type != VIRTIO_VSOCK_TYPE_STREAM) {
        refuse(vsock, header);
        return;
    }
    struct vsock_connection *connection = vsock_find(vsock, header->dst_port, header->src_port);
    if (connection != NULL && header->op == VIRTIO_VSOCK_OP_RST) {
        vsock_drop(connection);
    } else if (connection != NULL) {
        if (!handle(connection, header, data))
            abort_stream(connection);
    } else if (header->op == VIRTIO_VSOCK_OP_REQUEST &&
               (connection = vsock_connect(vsock, header->dst_port, header->src_port)) != NULL) {
        count_shared(&vsock->device.counters[VSOCK_CONNECTS].value, 1);
        connection->guest_room = header->buf_alloc;
        connection->guest_taken = header->fwd_cnt;
        connection->owes_response = true;
    } else {
        refuse(vsock, header);
    }
}

static void transmit(struct vsock *vsock) {
    struct virtio_device *device = &vsock->device;
    struct virtqueue *queue = &device->queues[TRANSMIT];
    struct chain chain;
    unsigned taken = 0;
    do {
        virtqueue_hold_kicks(queue);
        for (; taken < BATCH && virtio_pop(device, TRANSMIT, &chain); taken++) {
            struct virtio_vsock_hdr header;
            if (chain_read(&chain, &header, HEADER_SIZE) && header.len <= sizeof(vsock->packet) &&
                chain_read(&chain, vsock->packet, header.len))
                dispatch(vsock, &header, vsock->packet);
            virtqueue_push(queue, chain.head, 0);
        }
        if (taken >= BATCH) {
            virtio_kick(device, TRANSMIT);
            break;
        }
    } while (virtqueue_await_kicks(queue));
    virtio_tell(device, TRANSMIT);
    receive(vsock); /* the answers */
}

static void process(struct virtio_device *device, unsigned index) {
    if (index == RECEIVE)
        receive(device->state);
    else if (index == TRANSMIT)
        transmit(device->state);
    /* The event queue is for migrations. */
}

void vsock_on_socket(void *opaque, uint32_t events) {
    struct vsock_connection *connection = opaque;
    struct vsock *vsock = connection->vsock;
    pthread_mutex_lock(&vsock->device.lock);
    if (connection->state != VSOCK_FREE) {
        connection->readable = true;
        connection->hung_up = connection->hung_up || (events & (EPOLLHUP | EPOLLERR));
        bool good = connection->state == VSOCK_GREETING ? vsock_greet(connection) : vsock_flush(connection);
        bool done = connection->end_from_guest && connection->end_told && connection->buffer_size == 0;
        if (!good || done)
            abort_stream(connection);
        receive(vsock);
    }
    pthread_mutex_unlock(&vsock->device.lock);
}

static void on_client(void *opaque, uint32_t events) {
    struct vsock *vsock = opaque;
    (void)events;
    pthread_mutex_lock(&vsock->device.lock);
    if (virtio_running(&vsock->device))
        vsock_accept(vsock);
    else
        loop_change(vsock->device.loop, &vsock->listener, 0);
    pthread_mutex_unlock(&vsock->device.lock);
}

static void activate(struct virtio_device *device) {
    struct vsock *vsock = device->state;
    loop_change(device->loop, &vsock->listener, EPOLLIN);
}

static void reset(struct virtio_device *device) {
    struct vsock *vsock = device->state;
    loop_change(device->loop, &vsock->listener, 0);
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++)
        vsock_drop(&vsock->connections[i]);
    vsock->refusal_count = 0;
}

/* The streams ended with the process that had their other ends: the driver is told, section 5.10.6.6. */
static void restore(struct virtio_device *device, uint64_t saved) {
    struct virtio_vsock_event event = {.id = VIRTIO_VSOCK_EVENT_TRANSPORT_RESET};
    struct chain chain;
    (void)saved;
    if (virtio_pop(device, EVENT, &chain))
        virtqueue_push(&device->queues[EVENT], chain.head, chain_write(&chain, &event, sizeof(event)) ? sizeof(event) : 0);
}

static int attached(struct virtio_device *device) {
    struct vsock *vsock = device->state;
    return loop_add(device->loop, &vsock->listener, 0);
}

static void close_vsock(struct virtio_device *device) {
    struct vsock *vsock = device->state;
    for (unsigned i = 0; i < VSOCK_CONNECTIONS; i++)
        vsock_drop(&vsock->connections[i]);
    loop_remove(device->loop, &vsock->listener);
    close(vsock->listener.fd);
}

static const struct virtio_kind kind = {.name = "vsock",
                                        .type = VIRTIO_ID_VSOCK,
                                        .pci_class = 0x028000,
                                        .attached = attached,
                                        .process = process,
                                        .activate = activate,
                                        .reset = reset,
                                        .restore = restore,
                                        .close = close_vsock};

struct virtio_device *vsock_create(const struct nl_vsock_config *config) {
    struct vsock *vsock = calloc(1, sizeof(*vsock));
    if (vsock == NULL)
        return NULL;
    struct virtio_device *device = &vsock->device;
    struct virtio_vsock_config about = {.guest_cid = config->cid};
    memcpy(device->config, &about, sizeof(about));
    device->config_size = sizeof(about);
    device->kind = &kind;
    device->state = vsock;
    device->queue_count = 3;
    for (unsigned i = 0; i < 3; i++)
        device->queues[i].max_size = QUEUE_SIZE;
    device->counter_count = sizeof(counter_names) / sizeof(counter_names[0]);
    for (unsigned i = 0; i < device->counter_count; i++)
        device->counters[i].name = counter_names[i];
    vsock->cid = config->cid;
    memcpy(vsock->path, config->path, sizeof(vsock->path));
    vsock->path[sizeof(vsock->path) - 1] = '\0';
    vsock->listener = (struct loop_source){.fd = config->listen_fd, .ready = on_client, .opaque = vsock};
    return device;
}
