/* The split virtqueue: Virtual I/O Device 1.2, section 2.7. */
#include "virtio/queue.h"

#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <string.h>

#define DESCRIPTOR_SIZE sizeof(struct vring_desc)
#define RING_FLAGS 0
#define RING_INDEX 2
#define RING_ENTRIES 4

/* One load of a word that the guest may change at any time. The rings are aligned, see virtqueue_enable. */
static uint16_t load(const uint8_t *at) {
    return __atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_RELAXED);
}

static void store(uint8_t *at, uint16_t value) {
    __atomic_store_n((uint16_t *)(void *)at, value, __ATOMIC_RELAXED);
}

static uint8_t *used_event(const struct virtqueue *queue) {
    return queue->available_ring + RING_ENTRIES + 2 * (size_t)queue->size;
}

static uint8_t *available_event(const struct virtqueue *queue) {
    return queue->used_ring + RING_ENTRIES + sizeof(struct vring_used_elem) * queue->size;
}

bool virtqueue_enable(struct virtqueue *queue, const struct guest_memory *memory, bool event_index, bool indirect) {
    uint64_t size = queue->size;
    if (size == 0 || (size & (size - 1)) != 0 || size > queue->max_size || queue->descriptors % 16 != 0 ||
        queue->available % 2 != 0 || queue->used % 4 != 0)
        return false;
    queue->memory = memory;
    queue->descriptor_table = memory_at(memory, queue->descriptors, size * DESCRIPTOR_SIZE);
    queue->available_ring = memory_at(memory, queue->available, RING_ENTRIES + 2 * size + 2);
    queue->used_ring = memory_at(memory, queue->used, RING_ENTRIES + sizeof(struct vring_used_elem) * size + 2);
    if (queue->descriptor_table == NULL || queue->available_ring == NULL || queue->used_ring == NULL)
        return false;
    queue->event_index = event_index;
    queue->indirect = indirect;
    queue->next_available = queue->next_used = queue->told_used = 0;
    queue->broken = false;
    queue->ready = true;
    return true;
}

void virtqueue_reset(struct virtqueue *queue) {
    *queue = (struct virtqueue){.max_size = queue->max_size,
                                .size = queue->max_size,
                                .vector = UINT16_MAX,
                                .kick_fd = queue->kick_fd};
}

static bool add_segment(struct virtqueue *queue, struct chain *chain, const struct vring_desc *descriptor) {
    uint8_t *host = memory_at(queue->memory, descriptor->addr, descriptor->len);
    bool in = descriptor->flags & VRING_DESC_F_WRITE;
    unsigned count = chain->out_count + chain->in_count;
    if (host == NULL || (!in && chain->in_count > 0)) /* what is written comes after what is read */
        return false;
    if (descriptor->len == 0)
        return true;
    if (count == VIRTQUEUE_SEGMENTS)
        return false;
    chain->segments[count] = (struct iovec){.iov_base = host, .iov_len = descriptor->len};
    *(in ? &chain->in_count : &chain->out_count) += 1;
    *(in ? &chain->in_size : &chain->out_size) += descriptor->len;
    return true;
}

/* Follow the descriptors from ``index`` in a table of ``count``. Each is copied once, then only the copy counts. */
static bool walk(struct virtqueue *queue, struct chain *chain, const uint8_t *table, uint32_t count, uint32_t index,
                 bool may_be_indirect) {
    for (uint32_t steps = 0; steps < count; steps++) {
        struct vring_desc descriptor;
        if (index >= count)
            return false;
        memcpy(&descriptor, table + index * DESCRIPTOR_SIZE, sizeof(descriptor));
        atomic_signal_fence(memory_order_seq_cst); /* the compiler must not look there again */
        if (descriptor.flags & VRING_DESC_F_INDIRECT) {
            uint64_t inner = descriptor.len / DESCRIPTOR_SIZE;
            if (!may_be_indirect || (descriptor.flags & VRING_DESC_F_NEXT) || descriptor.len % DESCRIPTOR_SIZE != 0 ||
                inner == 0 || inner > UINT16_MAX)
                return false;
            const uint8_t *inner_table = memory_at(queue->memory, descriptor.addr, descriptor.len);
            return inner_table != NULL && walk(queue, chain, inner_table, (uint32_t)inner, 0, false);
        }
        if (!add_segment(queue, chain, &descriptor))
            return false;
        if (!(descriptor.flags & VRING_DESC_F_NEXT))
            return true;
        index = descriptor.next;
    }
    return false; /* a loop */
}

bool virtqueue_pop(struct virtqueue *queue, struct chain *chain) {
    if (!queue->ready || queue->broken)
        return false;
    uint16_t waiting = (uint16_t)(load(queue->available_ring + RING_INDEX) - queue->next_available);
    if (waiting == 0)
        return false;
    atomic_thread_fence(memory_order_acquire); /* the entry was written before the index */
    uint16_t head = load(queue->available_ring + RING_ENTRIES + 2 * (queue->next_available & (queue->size - 1)));
    chain->head = head;
    chain->out_count = chain->in_count = 0;
    chain->out_size = chain->in_size = 0;
    if (waiting > queue->size ||
        !walk(queue, chain, queue->descriptor_table, queue->size, head, queue->indirect)) {
        queue->broken = true;
        return false;
    }
    chain->out = chain->segments;
    chain->in = chain->segments + chain->out_count;
    queue->next_available++;
    return true;
}

void virtqueue_unpop(struct virtqueue *queue) {
    queue->next_available--;
}

bool virtqueue_waiting(const struct virtqueue *queue) {
    return load(queue->available_ring + RING_INDEX) != queue->next_available;
}

void virtqueue_push(struct virtqueue *queue, uint16_t head, uint32_t written) {
    struct vring_used_elem element = {.id = head, .len = written};
    uint8_t *entry = queue->used_ring + RING_ENTRIES + sizeof(element) * (queue->next_used & (queue->size - 1));
    memcpy(entry, &element, sizeof(element));
    atomic_thread_fence(memory_order_release);
    store(queue->used_ring + RING_INDEX, ++queue->next_used);
}

bool virtqueue_wants_interrupt(struct virtqueue *queue) {
    uint16_t before = queue->told_used;
    if (before == queue->next_used)
        return false;
    atomic_thread_fence(memory_order_seq_cst); /* the guest sets its wish, then looks at the index: so do we */
    queue->told_used = queue->next_used;
    if (queue->event_index)
        return vring_need_event(load(used_event(queue)), queue->next_used, before);
    return !(load(queue->available_ring + RING_FLAGS) & VRING_AVAIL_F_NO_INTERRUPT);
}

uint16_t virtqueue_untold(const struct virtqueue *queue) {
    return (uint16_t)(queue->next_used - queue->told_used);
}

void virtqueue_hold_kicks(struct virtqueue *queue) {
    if (queue->ready && !queue->event_index) /* with the event index, not moving it is enough */
        store(queue->used_ring + RING_FLAGS, VRING_USED_F_NO_NOTIFY);
}

uint16_t virtqueue_index(const struct virtqueue *queue) {
    return queue->ready ? load(queue->available_ring + RING_INDEX) : 0;
}

bool virtqueue_await_kicks(struct virtqueue *queue) {
    return virtqueue_await_more(queue, queue->next_available);
}

bool virtqueue_await_more(struct virtqueue *queue, uint16_t index) {
    if (!queue->ready || queue->broken)
        return false;
    if (queue->event_index)
        store(available_event(queue), index);
    else
        store(queue->used_ring + RING_FLAGS, 0);
    atomic_thread_fence(memory_order_seq_cst);
    return load(queue->available_ring + RING_INDEX) != index;
}

bool chain_read(struct chain *chain, void *data, size_t size) {
    uint8_t *to = data;
    if (chain->out_size < size)
        return false;
    chain->out_size -= size;
    while (size > 0) {
        size_t part = chain->out->iov_len < size ? chain->out->iov_len : size;
        memcpy(to, chain->out->iov_base, part);
        to += part;
        size -= part;
        chain->out->iov_base = (uint8_t *)chain->out->iov_base + part;
        chain->out->iov_len -= part;
        if (chain->out->iov_len == 0) {
            chain->out++;
            chain->out_count--;
        }
    }
    atomic_signal_fence(memory_order_seq_cst); /* only the copy counts from here on */
    return true;
}

bool chain_write(struct chain *chain, const void *data, size_t size) {
    const uint8_t *from = data;
    if (chain->in_size < size)
        return false;
    chain->in_size -= size;
    while (size > 0) {
        size_t part = chain->in->iov_len < size ? chain->in->iov_len : size;
        memcpy(chain->in->iov_base, from, part);
        from += part;
        size -= part;
        chain->in->iov_base = (uint8_t *)chain->in->iov_base + part;
        chain->in->iov_len -= part;
        if (chain->in->iov_len == 0) {
            chain->in++;
            chain->in_count--;
        }
    }
    return true;
}

uint8_t *chain_take_last(struct chain *chain) {
    if (chain->in_count == 0)
        return NULL;
    struct iovec *last = &chain->in[chain->in_count - 1];
    uint8_t *byte = (uint8_t *)last->iov_base + last->iov_len - 1;
    chain->in_size--;
    if (--last->iov_len == 0)
        chain->in_count--;
    return byte;
}
