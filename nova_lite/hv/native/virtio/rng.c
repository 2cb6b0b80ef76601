/* virtio-rng: random bytes from a file of the host's. Virtual I/O Device 1.2, section 5.4. */
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <unistd.h>

#include "virtio/kinds.h"

#define QUEUE_SIZE 64
#define MOST_AT_ONCE 4096 /* of one request; a guest that wants more asks again */

struct rng {
    struct virtio_device device;
    int fd;
};

enum { BYTES, ERRORS };

/* As much as the first piece takes; the driver reads how much that was. */
static uint32_t fill(struct rng *rng, const struct chain *chain) {
    if (chain->in_count == 0)
        return 0;
    size_t size = chain->in[0].iov_len < MOST_AT_ONCE ? chain->in[0].iov_len : MOST_AT_ONCE;
    ssize_t got = read(rng->fd, chain->in[0].iov_base, size);
    count_shared(&rng->device.counters[got < 0 ? ERRORS : BYTES].value, got < 0 ? 1 : (uint64_t)got);
    return got < 0 ? 0 : (uint32_t)got;
}

static void process(struct virtio_device *device, unsigned index) {
    struct rng *rng = device->state;
    struct virtqueue *queue = &device->queues[index];
    struct chain chain;
    do {
        virtqueue_hold_kicks(queue);
        while (virtio_pop(device, index, &chain))
            virtqueue_push(queue, chain.head, fill(rng, &chain));
    } while (virtqueue_await_kicks(queue));
    virtio_tell(device, index);
}

static void close_rng(struct virtio_device *device) {
    struct rng *rng = device->state;
    close(rng->fd);
}

static const struct virtio_kind kind = {
    .name = "rng", .type = VIRTIO_ID_RNG, .pci_class = 0x00ff00, .process = process, .close = close_rng};

struct virtio_device *rng_create(int fd) {
    struct rng *rng = calloc(1, sizeof(*rng));
    if (rng == NULL)
        return NULL;
    rng->fd = fd;
    rng->device.kind = &kind;
    rng->device.state = rng;
    rng->device.queue_count = 1;
    rng->device.queues[0].max_size = QUEUE_SIZE;
    rng->device.counter_count = 2;
    rng->device.counters[BYTES].name = "bytes";
    rng->device.counters[ERRORS].name = "errors";
    return &rng->device;
}
