/* A split virtqueue, seen from the device. Everything in it comes from the guest and is checked. No KVM in here. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory.h"

#define VIRTQUEUE_SEGMENTS 258 /* most pieces of one chain: 256 of data, a header, a status */

struct virtqueue {
    /* What the guest set, as it reads it back. */
    uint16_t max_size, size, vector;
    bool ready;
    uint64_t descriptors, available, used; /* guest addresses */
    /* Fixed by virtqueue_enable. */
    const struct guest_memory *memory;
    const uint8_t *descriptor_table;
    uint8_t *available_ring, *used_ring;
    bool event_index, indirect;
    /* Where the device is. */
    uint16_t next_available, next_used, told_used;
    bool broken; /* the guest put nonsense into it: not used again until a reset */
    int kick_fd; /* an eventfd, written when the guest notifies */
};

/* A chain of descriptors: first what the device reads, then what it writes. The list of pieces is the device's own
 * copy; what they point to stays the guest's, and changes under the device's eyes. */
struct chain {
    uint16_t head;
    unsigned out_count, in_count;
    uint64_t out_size, in_size;
    struct iovec *out, *in; /* into ``segments`` */
    struct iovec segments[VIRTQUEUE_SEGMENTS];
};

/* False when the rings do not lie in guest memory as they must. */
bool virtqueue_enable(struct virtqueue *queue, const struct guest_memory *memory, bool event_index, bool indirect);
/* All but ``max_size`` and ``kick_fd`` back to nothing. */
void virtqueue_reset(struct virtqueue *queue);

/* The next chain; false when there is none, or when the queue is (now) broken. */
bool virtqueue_pop(struct virtqueue *queue, struct chain *chain);
/* Give back the chain popped last, as if it had never been taken. */
void virtqueue_unpop(struct virtqueue *queue);
/* Whether more chains wait. */
bool virtqueue_waiting(const struct virtqueue *queue);
/* The device is done with the chain and has written ``written`` bytes into it. */
void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written);
/* Whether the guest wants to be told of what was pushed since it was told last. */
bool virtqueue_wants_interrupt(struct virtqueue *queue);
/* How many chains were pushed since it was looked at last. */
uint16_t virtqueue_untold(const struct virtqueue *queue);
/* Ask the guest not to notify while the device looks by itself. */
void virtqueue_hold_kicks(struct virtqueue *queue);
/* Ask for notifications again; true when chains have come meanwhile, which bring no notification. */
bool virtqueue_await_kicks(struct virtqueue *queue);
/* The guest's index of available chains, and the same wish for a device that needs more than there are. */
uint16_t virtqueue_index(const struct virtqueue *queue);
bool virtqueue_await_more(struct virtqueue *queue, uint16_t index);

/* Take ``size`` bytes from the start of what the device reads; false when there are fewer. */
bool chain_read(struct chain *chain, void *data, size_t size);
/* Copy ``size`` bytes to the start of what the device writes, which begins after them from then on. */
bool chain_write(struct chain *chain, const void *data, size_t size);
/* Take the last byte of what the device writes; NULL when there is none. */
uint8_t *chain_take_last(struct chain *chain);
