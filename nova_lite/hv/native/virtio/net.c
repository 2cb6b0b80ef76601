/* virtio-net on a tap device that takes and gives virtio's own header. Virtual I/O Device 1.2, section 5.1. */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "virtio/kinds.h"
#include "virtio/rate_limiter.h"

#define HEADER_SIZE sizeof(struct virtio_net_hdr_v1)
#define BUFFERS_AT offsetof(struct virtio_net_hdr_v1, num_buffers)
#define PACKET_SIZE (HEADER_SIZE + 18 + 65535) /* the largest a tap gives: an IP packet, an Ethernet header, a VLAN */
#define BATCH 256

enum { RECEIVE, TRANSMIT };
enum { RX_BYTES, RX_FRAMES, TX_BYTES, TX_FRAMES, RX_DROPPED, TX_DROPPED, LIMITED };
static const char *const counter_names[] = {"rx_bytes",   "rx_frames",  "tx_bytes",    "tx_frames",
                                            "rx_dropped", "tx_dropped", "rate_limited"};

struct net {
    struct virtio_device device;
    struct loop_source tap, timer;
    struct rate_limiter limiters[2];
    size_t waiting; /* bytes of a packet in ``packet`` for which the guest has no room yet */
    uint8_t packet[PACKET_SIZE];
};

static void watch_tap(struct net *net, bool on) {
    if (net->tap.fd >= 0)
        loop_change(net->device.loop, &net->tap, on ? EPOLLIN : 0);
}

/* Whether ``bytes`` may pass now; if not, the timer brings both queues back. */
static bool within_limits(struct net *net, unsigned direction, size_t bytes) {
    struct rate_limiter *limiter = &net->limiters[direction];
    if (!rate_limiter_limits(limiter))
        return true;
    uint64_t wait = rate_limiter_take(limiter, bytes, monotonic_ns());
    if (wait == 0)
        return true;
    struct itimerspec timer = {
        .it_value = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)}};
    timerfd_settime(net->timer.fd, 0, &timer, NULL);
    count_shared(&net->device.counters[LIMITED].value, 1);
    return false;
}

/* Hand the packet to the guest, in several chains if it must be and the driver can. False: there is no room yet. */
static bool deliver(struct net *net) {
    struct virtio_device *device = &net->device;
    struct virtqueue *queue = &device->queues[RECEIVE];
    bool mergeable = virtio_has(device, VIRTIO_NET_F_MRG_RXBUF);
    struct {
        uint16_t head;
        uint32_t size;
    } used[VIRTIO_QUEUE_SIZE_MAX];
    struct chain chain;
    uint8_t *buffers_at = NULL;
    uint16_t count = 0, one = 1;
    size_t done = 0;
    memcpy(net->packet + BUFFERS_AT, &one, sizeof(one));
    while (done < net->waiting) {
        bool popped = count < queue->size && virtio_pop(device, RECEIVE, &chain);
        if (!popped) {
            for (; count > 0; count--)
                virtqueue_unpop(queue);
            return false;
        }
        size_t room = chain.in_size < net->waiting - done ? (size_t)chain.in_size : net->waiting - done;
        if (count == 0 && chain.in_count > 0 && chain.in[0].iov_len >= HEADER_SIZE)
            buffers_at = (uint8_t *)chain.in[0].iov_base + BUFFERS_AT;
        chain_write(&chain, net->packet + done, room);
        done += room;
        used[count].head = chain.head;
        used[count++].size = (uint32_t)room;
        if (done < net->waiting && (!mergeable || buffers_at == NULL)) { /* a driver that offers too small buffers */
            count_shared(&device->counters[RX_DROPPED].value, 1);
            used[0].size = 0;
            break;
        }
    }
    if (count > 1)
        memcpy(buffers_at, &count, sizeof(count));
    for (unsigned i = 0; i < count; i++)
        virtqueue_push(queue, used[i].head, used[i].size);
    net->waiting = 0;
    return true;
}

/* The next packet of the tap; false when there is none. */
static bool fetch(struct net *net) {
    ssize_t got = net->tap.fd < 0 ? -1 : read(net->tap.fd, net->packet, sizeof(net->packet));
    if (got < 0 && net->tap.fd >= 0 && errno != EAGAIN && errno != EINTR && errno != EIO) {
        loop_remove(net->device.loop, &net->tap); /* the tap is gone: do not ask it for ever */
        close(net->tap.fd);
        net->tap.fd = -1;
    }
    if (got <= (ssize_t)HEADER_SIZE)
        return false;
    net->waiting = (size_t)got;
    count_shared(&net->device.counters[RX_BYTES].value, (uint64_t)got - HEADER_SIZE);
    count_shared(&net->device.counters[RX_FRAMES].value, 1);
    return true;
}

static void receive(struct net *net) {
    struct virtqueue *queue = &net->device.queues[RECEIVE];
    bool room = true, allowed = true;
    virtqueue_hold_kicks(queue);
    for (unsigned i = 0; i < BATCH && room && allowed; i++) {
        bool fresh = net->waiting == 0;
        if (fresh && !fetch(net))
            break;
        allowed = !fresh || within_limits(net, RECEIVE, net->waiting - HEADER_SIZE);
        if (!allowed)
            break;
        uint16_t index;
        do
            index = virtqueue_index(queue);
        while (!(room = deliver(net)) && virtqueue_await_more(queue, index)); /* buffers have come just now */
    }
    watch_tap(net, room && allowed);
    virtio_tell(&net->device, RECEIVE);
}

static void transmit(struct net *net) {
    struct virtio_device *device = &net->device;
    struct virtqueue *queue = &device->queues[TRANSMIT];
    struct virtio_counter *counters = device->counters;
    struct chain chain;
    unsigned sent = 0;
    do {
        virtqueue_hold_kicks(queue);
        while (sent < BATCH && virtio_pop(device, TRANSMIT, &chain)) {
            if (!within_limits(net, TRANSMIT, chain.out_size)) {
                virtqueue_unpop(queue);
                virtio_tell(device, TRANSMIT);
                return;
            }
            /* The header goes as it is: the kernel checks it as it does any process's. */
            ssize_t done = net->tap.fd < 0 || chain.out_size > PACKET_SIZE
                               ? -1
                               : writev(net->tap.fd, chain.out, (int)chain.out_count);
            count_shared(&counters[done < 0 ? TX_DROPPED : TX_FRAMES].value, 1);
            if (done > (ssize_t)HEADER_SIZE)
                count_shared(&counters[TX_BYTES].value, (uint64_t)done - HEADER_SIZE);
            virtqueue_push(queue, chain.head, 0);
            sent++;
        }
        if (sent >= BATCH) { /* others want their turn */
            virtio_kick(device, TRANSMIT);
            break;
        }
    } while (virtqueue_await_kicks(queue));
    virtio_tell(device, TRANSMIT);
}

static void process(struct virtio_device *device, unsigned index) {
    if (index == RECEIVE)
        receive(device->state);
    else
        transmit(device->state);
}

static void on_tap(void *opaque, uint32_t events) {
    struct net *net = opaque;
    (void)events;
    pthread_mutex_lock(&net->device.lock);
    if (virtio_running(&net->device) && net->device.queues[RECEIVE].ready)
        receive(net);
    else
        watch_tap(net, false);
    pthread_mutex_unlock(&net->device.lock);
}

static void on_timer(void *opaque, uint32_t events) {
    struct net *net = opaque;
    uint64_t count;
    (void)events;
    if (read(net->timer.fd, &count, sizeof(count)) < 0)
        return;
    for (unsigned i = RECEIVE; i <= TRANSMIT; i++)
        virtio_kick(&net->device, i);
}

static void activate(struct virtio_device *device) {
    struct net *net = device->state;
    unsigned offload = 0;
    if (virtio_has(device, VIRTIO_NET_F_GUEST_CSUM))
        offload |= TUN_F_CSUM;
    if ((offload & TUN_F_CSUM) && virtio_has(device, VIRTIO_NET_F_GUEST_TSO4))
        offload |= TUN_F_TSO4;
    if ((offload & TUN_F_CSUM) && virtio_has(device, VIRTIO_NET_F_GUEST_TSO6))
        offload |= TUN_F_TSO6;
    ioctl(net->tap.fd, TUNSETOFFLOAD, (unsigned long)offload); /* what it refuses it does itself */
    watch_tap(net, true);
}

static void reset(struct virtio_device *device) {
    struct net *net = device->state;
    watch_tap(net, false);
    net->waiting = 0;
}

static void close_net(struct virtio_device *device) {
    struct net *net = device->state;
    if (net->tap.fd >= 0)
        close(net->tap.fd);
    close(net->timer.fd);
}

/* The tap is only waited for while a driver runs: nobody would take what it has. */
static int attached(struct virtio_device *device) {
    struct net *net = device->state;
    int result = loop_add(device->loop, &net->tap, 0);
    return result < 0 ? result : loop_add(device->loop, &net->timer, EPOLLIN);
}

static const struct virtio_kind kind = {.name = "net",
                                        .type = VIRTIO_ID_NET,
                                        .pci_class = 0x020000,
                                        .attached = attached,
                                        .process = process,
                                        .activate = activate,
                                        .reset = reset,
                                        .close = close_net};

struct virtio_device *net_create(const struct nl_net_config *config) {
    struct net *net = calloc(1, sizeof(*net));
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (net == NULL || timer < 0) {
        if (timer >= 0)
            close(timer);
        free(net);
        return NULL;
    }
    struct virtio_device *device = &net->device;
    struct virtio_net_config about = {
        .status = VIRTIO_NET_S_LINK_UP, .max_virtqueue_pairs = 1, .mtu = config->mtu};
    memcpy(about.mac, config->mac, sizeof(about.mac));
    memcpy(device->config, &about, sizeof(about));
    device->config_size = sizeof(about);
    device->kind = &kind;
    device->state = net;
    device->offered = 1ull << VIRTIO_NET_F_MAC | 1ull << VIRTIO_NET_F_STATUS | 1ull << VIRTIO_NET_F_MRG_RXBUF;
    if (config->mtu > 0)
        device->offered |= 1ull << VIRTIO_NET_F_MTU;
    if (config->offload_csum)
        device->offered |= 1ull << VIRTIO_NET_F_CSUM | 1ull << VIRTIO_NET_F_GUEST_CSUM;
    if (config->offload_csum && config->offload_tso)
        device->offered |= 1ull << VIRTIO_NET_F_HOST_TSO4 | 1ull << VIRTIO_NET_F_HOST_TSO6 |
                           1ull << VIRTIO_NET_F_GUEST_TSO4 | 1ull << VIRTIO_NET_F_GUEST_TSO6;
    device->queue_count = 2;
    device->queues[RECEIVE].max_size = device->queues[TRANSMIT].max_size = (uint16_t)config->queue_size;
    device->counter_count = sizeof(counter_names) / sizeof(counter_names[0]);
    for (unsigned i = 0; i < device->counter_count; i++)
        device->counters[i].name = counter_names[i];
    net->tap = (struct loop_source){.fd = config->tap_fd, .ready = on_tap, .opaque = net};
    net->timer = (struct loop_source){.fd = timer, .ready = on_timer, .opaque = net};
    rate_limiter_init(&net->limiters[RECEIVE], &config->limiter, monotonic_ns());
    rate_limiter_init(&net->limiters[TRANSMIT], &config->limiter, monotonic_ns());
    return device;
}
