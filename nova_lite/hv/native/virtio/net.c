/* virtio-net on a tap device that takes and gives virtio's own header. Virtual I/O Device 1.2, section 5.1.
 *
 * Queues come in pairs: 2i receives, 2i + 1 transmits, each pair on a descriptor of its own of the same tap. Behind
 * the last pair lies the control queue, if there are several. */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "virtio/kinds.h"
#include "virtio/net.h"

#define CONTROL_QUEUE_SIZE 64

_Static_assert(2 * NL_NET_PAIRS + 1 <= VIRTIO_QUEUES, "all pairs and the control queue have room");

static const char *const counter_names[] = {"rx_bytes",   "rx_frames",  "tx_bytes",    "tx_frames",
                                            "rx_dropped", "tx_dropped", "rate_limited"};

bool net_within_limits(struct net *net, unsigned direction, size_t bytes) {
    struct rate_limiter *limiter = &net->limiters[direction];
    if (!rate_limiter_limits(limiter))
        return true;
    uint64_t wait = rate_limiter_take(limiter, bytes, monotonic_ns());
    if (wait == 0)
        return true;
    struct itimerspec timer = {
        .it_value = {.tv_sec = (time_t)(wait / 1000000000u), .tv_nsec = (long)(wait % 1000000000u)}};
    timerfd_settime(net->timer.fd, 0, &timer, NULL);
    count_shared(&net->device.counters[NET_LIMITED].value, 1);
    return false;
}

/* The loop has been quiet, or busy for long: the guest is told of what was sent, should it still want to know. */
static void on_later(void *opaque) {
    struct net_pair *pair = opaque;
    struct virtio_device *device = &pair->net->device;
    pthread_mutex_lock(&device->lock);
    if (virtio_running(device))
        virtio_tell(device, pair->transmit);
    pthread_mutex_unlock(&device->lock);
}

/* Often the answer is there at once, for the host's own network does what it is sent before ``writev`` returns. A driver
 * looks at what it has sent when packets come, so that one interrupt does for both: the other is put off, and most often
 * nobody wants it any more then. */
static void tell_of_sent(struct net_pair *pair, unsigned sent) {
    struct virtio_device *device = &pair->net->device;
    const struct virtqueue *queue = &device->queues[pair->transmit];
    bool answered = sent > 0 && pair->watched && device->queues[pair->receive].ready && net_receive(pair);
    if (answered && queue->event_index && virtqueue_untold(queue) < queue->size / 2)
        loop_later(device->loop, &pair->later);
    else
        virtio_tell(device, pair->transmit);
}

static void transmit(struct net_pair *pair) {
    struct net *net = pair->net;
    struct virtio_device *device = &net->device;
    struct virtqueue *queue = &device->queues[pair->transmit];
    struct virtio_counter *counters = device->counters;
    struct chain chain;
    unsigned sent = 0;
    do {
        virtqueue_hold_kicks(queue);
        while (sent < NET_BATCH && virtio_pop(device, pair->transmit, &chain)) {
            if (!net_within_limits(net, NET_TRANSMIT, chain.out_size)) {
                virtqueue_unpop(queue);
                virtio_tell(device, pair->transmit);
                return;
            }
            /* The header goes as it is: the kernel checks it as it does any process's. */
            ssize_t done = pair->tap.fd < 0 || chain.out_size > NET_PACKET_SIZE
                               ? -1
                               : writev(pair->tap.fd, chain.out, (int)chain.out_count);
            count_shared(&counters[done < 0 ? NET_TX_DROPPED : NET_TX_FRAMES].value, 1);
            if (done > (ssize_t)NET_HEADER_SIZE)
                count_shared(&counters[NET_TX_BYTES].value, (uint64_t)done - NET_HEADER_SIZE);
            virtqueue_push(queue, chain.head, 0);
            sent++;
        }
        if (sent >= NET_BATCH) { /* others want their turn */
            virtio_kick(device, pair->transmit);
            break;
        }
    } while (virtqueue_await_kicks(queue));
    tell_of_sent(pair, sent);
}

/* Packets arrive on the first ``count`` pairs from now on. */
static void use_pairs(struct net *net, unsigned count) {
    for (unsigned i = 0; i < net->pair_count && net->pair_count > 1; i++) {
        struct net_pair *pair = &net->pairs[i];
        struct ifreq request = {.ifr_flags = i < count ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE};
        if (pair->attached == (i < count))
            continue;
        pair->attached = i < count;
        ioctl(pair->tap.fd, TUNSETQUEUE, &request);
        if (pair->attached)
            loop_add(net->device.loop, &pair->tap, EPOLLIN);
        else /* a descriptor without its tap is "ready" for ever */
            loop_remove(net->device.loop, &pair->tap);
        pair->watched = pair->attached;
    }
}

/* The one command there is: how many pairs the driver uses. */
static uint8_t obey(struct net *net, struct chain *chain) {
    struct virtio_net_ctrl_hdr header;
    struct virtio_net_ctrl_mq wanted;
    if (!chain_read(chain, &header, sizeof(header)) || header.class != VIRTIO_NET_CTRL_MQ ||
        header.cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET || !virtio_has(&net->device, VIRTIO_NET_F_MQ) ||
        !chain_read(chain, &wanted, sizeof(wanted)) || wanted.virtqueue_pairs < 1 ||
        wanted.virtqueue_pairs > net->pair_count)
        return VIRTIO_NET_ERR;
    use_pairs(net, wanted.virtqueue_pairs);
    return VIRTIO_NET_OK;
}

static void control(struct net *net, unsigned index) {
    struct virtio_device *device = &net->device;
    struct virtqueue *queue = &device->queues[index];
    struct chain chain;
    do {
        virtqueue_hold_kicks(queue);
        while (virtio_pop(device, index, &chain)) {
            uint8_t answer = obey(net, &chain);
            virtqueue_push(queue, chain.head, chain_write(&chain, &answer, 1) ? 1 : 0);
        }
    } while (virtqueue_await_kicks(queue));
    virtio_tell(device, index);
}

static void process(struct virtio_device *device, unsigned index) {
    struct net *net = device->state;
    /* A driver that uses one pair only has the control queue right behind it. */
    unsigned pairs = virtio_has(device, VIRTIO_NET_F_MQ) ? net->pair_count : 1;
    if (index == 2 * pairs)
        control(net, index);
    else if (index > 2 * pairs)
        return;
    else if (index % 2 == NET_TRANSMIT)
        transmit(&net->pairs[index / 2]);
    else if (net->pairs[index / 2].attached)
        net_receive(&net->pairs[index / 2]);
}

static void on_tap(void *opaque, uint32_t events) {
    struct net_pair *pair = opaque;
    struct virtio_device *device = &pair->net->device;
    (void)events;
    pthread_mutex_lock(&device->lock);
    if (virtio_running(device) && device->queues[pair->receive].ready && pair->attached)
        net_receive(pair);
    else
        net_watch_tap(pair, false);
    pthread_mutex_unlock(&device->lock);
}

static void on_timer(void *opaque, uint32_t events) {
    struct net *net = opaque;
    uint64_t count;
    (void)events;
    if (read(net->timer.fd, &count, sizeof(count)) < 0)
        return;
    for (unsigned i = 0; i < 2 * net->pair_count; i++)
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
    ioctl(net->pairs[0].tap.fd, TUNSETOFFLOAD, (unsigned long)offload); /* what it refuses it does itself */
    use_pairs(net, 1);
    net_watch_tap(&net->pairs[0], true);
}

static void reset(struct virtio_device *device) {
    struct net *net = device->state;
    for (unsigned i = 0; i < net->pair_count; i++) {
        net_watch_tap(&net->pairs[i], false);
        net->pairs[i].waiting = net->pairs[i].expected = 0;
    }
}

/* What was put off must not be missing from a snapshot. */
static void settle(struct virtio_device *device) {
    struct net *net = device->state;
    for (unsigned i = 0; i < net->pair_count; i++)
        on_later(&net->pairs[i]);
}

static void close_net(struct virtio_device *device) {
    struct net *net = device->state;
    for (unsigned i = 0; i < net->pair_count; i++) {
        loop_never(device->loop, &net->pairs[i].later);
        loop_remove(device->loop, &net->pairs[i].tap); /* others may have the tap open: closing it would not do */
        close(net->pairs[i].tap.fd);
    }
    loop_remove(device->loop, &net->timer);
    close(net->timer.fd);
    free(net->pairs);
}

/* The tap is only waited for while a driver runs: nobody would take what it has. */
static int attached(struct virtio_device *device) {
    struct net *net = device->state;
    int result = 0;
    for (unsigned i = 0; result == 0 && i < net->pair_count; i++)
        result = loop_add(device->loop, &net->pairs[i].tap, 0);
    return result < 0 ? result : loop_add(device->loop, &net->timer, EPOLLIN);
}

/* How many pairs the driver uses, which it told by a command. */
static uint64_t save(struct virtio_device *device) {
    struct net *net = device->state;
    uint64_t count = 0;
    while (count < net->pair_count && net->pairs[count].attached)
        count++;
    return count;
}

static void restore(struct virtio_device *device, uint64_t saved) {
    struct net *net = device->state;
    if (saved >= 1 && saved <= net->pair_count)
        use_pairs(net, (unsigned)saved);
}

static const struct virtio_kind kind = {.name = "net",
                                        .type = VIRTIO_ID_NET,
                                        .pci_class = 0x020000,
                                        .attached = attached,
                                        .process = process,
                                        .activate = activate,
                                        .reset = reset,
                                        .settle = settle,
                                        .save = save,
                                        .restore = restore,
                                        .close = close_net};

struct virtio_device *net_create(const struct nl_net_config *config) {
    struct net *net = calloc(1, sizeof(*net));
    struct net_pair *pairs = calloc(config->pairs, sizeof(*pairs));
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (net == NULL || pairs == NULL || timer < 0) {
        if (timer >= 0)
            close(timer);
        free(pairs);
        free(net);
        return NULL;
    }
    struct virtio_device *device = &net->device;
    struct virtio_net_config about = {
        .status = VIRTIO_NET_S_LINK_UP, .max_virtqueue_pairs = (uint16_t)config->pairs, .mtu = config->mtu};
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
    device->queue_count = 2 * config->pairs;
    if (config->pairs > 1) {
        device->offered |= 1ull << VIRTIO_NET_F_MQ | 1ull << VIRTIO_NET_F_CTRL_VQ;
        device->queues[device->queue_count++].max_size = CONTROL_QUEUE_SIZE;
    }
    for (unsigned i = 0; i < 2 * config->pairs; i++)
        device->queues[i].max_size = (uint16_t)config->queue_size;
    device->counter_count = sizeof(counter_names) / sizeof(counter_names[0]);
    for (unsigned i = 0; i < device->counter_count; i++)
        device->counters[i].name = counter_names[i];
    net->pair_count = config->pairs;
    net->pairs = pairs;
    for (unsigned i = 0; i < config->pairs; i++) {
        pairs[i].net = net;
        pairs[i].receive = 2 * i + NET_RECEIVE;
        pairs[i].transmit = 2 * i + NET_TRANSMIT;
        pairs[i].attached = true; /* as the kernel has it for a descriptor just opened */
        pairs[i].tap = (struct loop_source){.fd = config->tap_fds[i], .ready = on_tap, .opaque = &pairs[i]};
        pairs[i].later = (struct loop_later){.run = on_later, .opaque = &pairs[i]};
    }
    net->timer = (struct loop_source){.fd = timer, .ready = on_timer, .opaque = net};
    rate_limiter_init(&net->limiters[NET_RECEIVE], &config->limiter, monotonic_ns());
    rate_limiter_init(&net->limiters[NET_TRANSMIT], &config->limiter, monotonic_ns());
    return device;
}
