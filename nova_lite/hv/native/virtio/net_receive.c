/* virtio-net: packets from the tap to the guest. Virtual I/O Device 1.2, section 5.1.6.3.
 *
 * A packet goes from the tap into the guest's buffers at once. What is longer than was expected, or comes while the
 * guest has no buffers, goes through a buffer of the device's own. */
#include "virtio/net.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUFFERS_AT offsetof(struct virtio_net_hdr_v1, num_buffers)

/* Chains taken for a packet that is not there yet. */
struct landing {
    unsigned pieces, chains;
    size_t room;
    struct {
        uint16_t head;
        size_t room;
    } taken[VIRTQUEUE_SEGMENTS];
    struct iovec into[VIRTQUEUE_SEGMENTS + 1]; /* behind the guest's pieces the device's own */
};

void net_watch_tap(struct net_pair *pair, bool on) {
    if (pair->tap.fd >= 0 && pair->watched != on)
        loop_change(pair->net->device.loop, &pair->tap, on ? EPOLLIN : 0);
    pair->watched = on;
}

/* What reading from the tap came to: bytes of a packet, or 0. */
static size_t arrived(struct net_pair *pair, ssize_t got) {
    struct net *net = pair->net;
    if (got < 0 && pair->tap.fd >= 0 && errno != EAGAIN && errno != EINTR && errno != EIO && errno != EFAULT) {
        loop_remove(net->device.loop, &pair->tap); /* the tap is gone: do not ask it for ever */
        close(pair->tap.fd);
        pair->tap.fd = -1;
    }
    if (got <= (ssize_t)NET_HEADER_SIZE)
        return 0;
    count_shared(&net->device.counters[NET_RX_BYTES].value, (uint64_t)got - NET_HEADER_SIZE);
    count_shared(&net->device.counters[NET_RX_FRAMES].value, 1);
    return (size_t)got;
}

/* The next packet of the tap into ``packet``; false when there is none. */
static bool fetch(struct net_pair *pair) {
    pair->waiting = pair->tap.fd < 0 ? 0 : arrived(pair, read(pair->tap.fd, pair->packet, sizeof(pair->packet)));
    return pair->waiting > 0;
}

static void give_back(struct virtqueue *queue, unsigned chains) {
    for (; chains > 0; chains--)
        virtqueue_unpop(queue);
}

/* Hand the packet in ``packet`` to the guest, in several chains if it must be and the driver can. False: there is no
 * room yet. */
static bool deliver(struct net_pair *pair) {
    struct virtio_device *device = &pair->net->device;
    struct virtqueue *queue = &device->queues[pair->receive];
    bool mergeable = virtio_has(device, VIRTIO_NET_F_MRG_RXBUF);
    struct {
        uint16_t head;
        uint32_t size;
    } used[VIRTIO_QUEUE_SIZE_MAX];
    struct chain chain;
    uint8_t *buffers_at = NULL;
    uint16_t count = 0, one = 1;
    size_t done = 0;
    memcpy(pair->packet + BUFFERS_AT, &one, sizeof(one));
    while (done < pair->waiting) {
        bool popped = count < queue->size && virtio_pop(device, pair->receive, &chain);
        if (!popped) {
            give_back(queue, count);
            return false;
        }
        size_t room = chain.in_size < pair->waiting - done ? (size_t)chain.in_size : pair->waiting - done;
        if (count == 0 && chain.in_count > 0 && chain.in[0].iov_len >= NET_HEADER_SIZE)
            buffers_at = (uint8_t *)chain.in[0].iov_base + BUFFERS_AT;
        chain_write(&chain, pair->packet + done, room);
        done += room;
        used[count].head = chain.head;
        used[count++].size = (uint32_t)room;
        if (done < pair->waiting && (!mergeable || buffers_at == NULL)) { /* a driver that offers too small buffers */
            count_shared(&device->counters[NET_RX_DROPPED].value, 1);
            used[0].size = 0;
            break;
        }
    }
    if (count > 1)
        memcpy(buffers_at, &count, sizeof(count));
    for (unsigned i = 0; i < count; i++)
        virtqueue_push(queue, used[i].head, used[i].size);
    pair->waiting = 0;
    return true;
}

/* Take chains for ``expected`` bytes, one at least. False: there is none, or none that begins as it should. */
static bool prepare(struct net_pair *pair, struct landing *landing) {
    struct virtio_device *device = &pair->net->device;
    struct virtqueue *queue = &device->queues[pair->receive];
    bool mergeable = virtio_has(device, VIRTIO_NET_F_MRG_RXBUF);
    struct chain chain;
    landing->pieces = landing->chains = 0;
    landing->room = 0;
    do {
        if (!virtio_pop(device, pair->receive, &chain))
            break;
        bool fits = chain.in_count > 0 && landing->pieces + chain.in_count <= VIRTQUEUE_SEGMENTS;
        if (landing->chains == 0)
            fits = fits && chain.in[0].iov_len >= NET_HEADER_SIZE;
        if (!fits) {
            virtqueue_unpop(queue);
            break;
        }
        memcpy(landing->into + landing->pieces, chain.in, chain.in_count * sizeof(*chain.in));
        landing->pieces += chain.in_count;
        landing->taken[landing->chains].head = chain.head;
        landing->taken[landing->chains++].room = (size_t)chain.in_size;
        landing->room += (size_t)chain.in_size;
    } while (mergeable && landing->room < pair->expected && landing->chains < queue->size &&
             landing->pieces < VIRTQUEUE_SEGMENTS);
    return landing->chains > 0;
}

/* The packet of ``size`` bytes lies in the guest's buffers: they are its now, what was not needed is not. */
static void hand_over(struct net_pair *pair, const struct landing *landing, size_t size) {
    struct virtqueue *queue = &pair->net->device.queues[pair->receive];
    uint16_t count = 0;
    for (size_t room = 0; room < size; count++)
        room += landing->taken[count].room;
    give_back(queue, landing->chains - count);
    memcpy((uint8_t *)landing->into[0].iov_base + BUFFERS_AT, &count, sizeof(count)); /* which the tap leaves alone */
    for (unsigned i = 0; i < count; i++) {
        size_t part = landing->taken[i].room < size ? landing->taken[i].room : size;
        virtqueue_push(queue, landing->taken[i].head, (uint32_t)part);
        size -= part;
    }
}

/* From the tap into the guest's buffers. False: nothing came, or what came is in ``packet`` now, or there is no buffer
 * and the tap was not asked. */
static bool land(struct net_pair *pair, bool *asked) {
    struct virtqueue *queue = &pair->net->device.queues[pair->receive];
    struct landing landing;
    *asked = pair->tap.fd >= 0 && prepare(pair, &landing);
    if (!*asked)
        return false;
    /* As if all of the packet were in ``packet``, the guest's part of it left out. */
    size_t own = landing.room < sizeof(pair->packet) ? landing.room : sizeof(pair->packet);
    landing.into[landing.pieces] = (struct iovec){pair->packet + own, sizeof(pair->packet) - own};
    size_t size = arrived(pair, readv(pair->tap.fd, landing.into, (int)landing.pieces + 1));
    if (size > 0)
        pair->expected = size;
    if (size > 0 && size <= landing.room) {
        hand_over(pair, &landing, size);
        return true;
    }
    size_t at = 0;
    for (unsigned i = 0; size > 0 && i < landing.pieces; i++) { /* the guest may have changed it: its own packet */
        memcpy(pair->packet + at, landing.into[i].iov_base, landing.into[i].iov_len);
        at += landing.into[i].iov_len;
    }
    give_back(queue, landing.chains);
    pair->waiting = size;
    return false;
}

bool net_receive(struct net_pair *pair) {
    struct net *net = pair->net;
    struct virtqueue *queue = &net->device.queues[pair->receive];
    bool room = true, allowed = true, limited = rate_limiter_limits(&net->limiters[NET_RECEIVE]), any = false;
    virtqueue_hold_kicks(queue);
    for (unsigned i = 0; i < NET_BATCH && room && allowed; i++) {
        bool fresh = pair->waiting == 0, asked = false;
        if (fresh && !limited && land(pair, &asked)) {
            any = true;
            continue;
        }
        if (pair->waiting == 0 && (asked || !fetch(pair)))
            break;
        allowed = !fresh || net_within_limits(net, NET_RECEIVE, pair->waiting - NET_HEADER_SIZE);
        if (!allowed)
            break;
        uint16_t index;
        do
            index = virtqueue_index(queue);
        while (!(room = deliver(pair)) && virtqueue_await_more(queue, index)); /* buffers have come just now */
        any |= room;
    }
    net_watch_tap(pair, room && allowed);
    virtio_tell(&net->device, pair->receive);
    return any;
}
