/* The inside of a virtio-net device, shared by its files. No KVM in here. */
#pragma once
#include <linux/virtio_net.h>

#include "virtio/rate_limiter.h"
#include "virtio/virtio.h"

#define NET_HEADER_SIZE sizeof(struct virtio_net_hdr_v1)
/* The largest a tap gives: the header, an IP packet, an Ethernet header, a VLAN. */
#define NET_PACKET_SIZE (NET_HEADER_SIZE + 18 + 65535)
#define NET_BATCH 256

enum { NET_RECEIVE, NET_TRANSMIT };
enum { NET_RX_BYTES, NET_RX_FRAMES, NET_TX_BYTES, NET_TX_FRAMES, NET_RX_DROPPED, NET_TX_DROPPED, NET_LIMITED };

/* A receiving and a transmitting queue. */
struct net_pair {
    struct net *net;
    unsigned receive, transmit; /* numbers of the queues */
    bool attached;              /* the tap hands packets to it */
    bool watched;               /* the loop waits for them */
    struct loop_source tap;
    struct loop_later later; /* the guest has not been told of what was sent */
    size_t expected;         /* bytes of the packet before, and so perhaps of the next one */
    size_t waiting;          /* bytes of a packet in ``packet`` for which the guest has no room yet */
    uint8_t packet[NET_PACKET_SIZE];
};

struct net {
    struct virtio_device device;
    struct loop_source timer;
    struct rate_limiter limiters[2];
    unsigned pair_count;
    struct net_pair *pairs;
};

/* net.c. Whether ``bytes`` may pass now; if not, the timer brings both queues back. */
bool net_within_limits(struct net *net, unsigned direction, size_t bytes);

/* net_receive.c; both with the device's lock held. */
void net_watch_tap(struct net_pair *pair, bool on);
/* Hand the guest what the tap has; whether that was anything. */
bool net_receive(struct net_pair *pair);
